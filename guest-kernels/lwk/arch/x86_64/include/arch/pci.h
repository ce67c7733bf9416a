/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PCI is to this architecture: configuration space by ports, and the form of an interrupt
 * message.
 */
#ifndef ARCH_PCI_H
#define ARCH_PCI_H

#include <lwk/types.h>

/*
 * Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2): the first 256 bytes of each function. Any
 * context.
 */
uint32_t arch_pci_read32(uint8_t bus, uint8_t devfn, uint8_t offset);
void arch_pci_write32(uint8_t bus, uint8_t devfn, uint8_t offset, uint32_t value);
void arch_pci_write16(uint8_t bus, uint8_t devfn, uint8_t offset, uint16_t value);

/* Physical addresses at and above this one do not exist. */
paddr_t arch_physical_end(void);

struct msi_message {
	uint64_t address;
	uint32_t data;
};

/*
 * A message that interrupts one CPU, edge-triggered. -ERANGE: without interrupt remapping a message
 * has room for 8 bits of APIC id, in xAPIC and x2APIC mode alike, and for 15 under a KVM that says so.
 */
int arch_msi_message(uint32_t apic_id, unsigned int vector, struct msi_message *message);

#endif
