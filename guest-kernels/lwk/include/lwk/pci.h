/* SPDX-License-Identifier: Apache-2.0 */
/* PCI: which devices there are, where their BARs lie, and interrupts by MSI-X. */
#ifndef LWK_PCI_H
#define LWK_PCI_H

#include <lwk/irq.h>
#include <lwk/paging.h>
#include <lwk/types.h>

#define PCI_BARS 6
#define PCI_DEVICES_MAX 64

struct pci_bar {
	paddr_t base;
	uint64_t size; /* 0: not there, or I/O ports */
};

struct pci_device {
	uint8_t bus;
	uint8_t devfn; /* device << 3 | function */
	uint16_t vendor;
	uint16_t device;
	struct pci_bar bars[PCI_BARS]; /* valid after pci_enable() */
};

/* All devices, in the order of bus and devfn. */
extern struct pci_device pci_devices[PCI_DEVICES_MAX];
extern unsigned int pci_device_count;

/* Finds the devices: bus 0, and the buses behind bridges to which the firmware gave numbers. */
void pci_init(void);

/* `offset` is aligned to the width. */
uint32_t pci_read32(const struct pci_device *device, unsigned int offset);
void pci_write32(const struct pci_device *device, unsigned int offset, uint32_t value);
void pci_write16(const struct pci_device *device, unsigned int offset, uint16_t value);

/* Offset of a capability, 0 if there is none. */
unsigned int pci_find_capability(const struct pci_device *device, uint8_t id);

/*
 * Finds the device's memory BARs, gives an address to those that the firmware left without one, and
 * lets the device answer to them and send messages. 0 or -ENOSPC.
 */
int pci_enable(struct pci_device *device);

/* Maps a whole BAR for good. NULL: there is no such BAR, or no memory for page tables. */
void *pci_map_bar(const struct pci_device *device, unsigned int bar, enum memory_type type);

/* Whether it sends interrupts as messages from a table; it need not be enabled to tell. */
bool pci_has_msix(const struct pci_device *device);

/*
 * Delivers MSI-X entry i to interrupt vector irqs[i] of CPU cpu_ids[i] and starts delivery. The
 * device was enabled. 0, -ENODEV (it has no MSI-X, or fewer entries), -ENOMEM, -ERANGE (no message
 * reaches that CPU).
 */
int pci_enable_msix(const struct pci_device *device, const unsigned int *irqs,
		    const unsigned int *cpu_ids, unsigned int count);

#endif
