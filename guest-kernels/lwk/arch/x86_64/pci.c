/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration space by ports, and interrupt messages to a local APIC. */
#include <arch/cpu.h>
#include <arch/pci.h>
#include <lwk/errno.h>
#include <lwk/spinlock.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE 0x80000000

/* SDM 3A, 11.11: destination in bits 12-19, physical mode, fixed delivery, edge */
#define MSI_ADDRESS 0xfee00000
#define MSI_DESTINATION_SHIFT 12
#define MSI_BROADCAST 0xff

static struct spinlock lock = SPINLOCK_INIT; /* address and data are two accesses */

static void select_register(uint8_t bus, uint8_t devfn, uint8_t offset)
{
	out32(CONFIG_ADDRESS,
	      CONFIG_ENABLE | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (offset & 0xfc));
}

uint32_t arch_pci_read32(uint8_t bus, uint8_t devfn, uint8_t offset)
{
	uint64_t flags = spin_lock(&lock);
	uint32_t value;

	select_register(bus, devfn, offset);
	value = in32(CONFIG_DATA);
	spin_unlock(&lock, flags);
	return value;
}

void arch_pci_write32(uint8_t bus, uint8_t devfn, uint8_t offset, uint32_t value)
{
	uint64_t flags = spin_lock(&lock);

	select_register(bus, devfn, offset);
	out32(CONFIG_DATA, value);
	spin_unlock(&lock, flags);
}

void arch_pci_write16(uint8_t bus, uint8_t devfn, uint8_t offset, uint16_t value)
{
	uint64_t flags = spin_lock(&lock);

	select_register(bus, devfn, offset);
	out16(CONFIG_DATA + (offset & 2), value);
	spin_unlock(&lock, flags);
}

paddr_t arch_physical_end(void)
{
	unsigned int bits = 36;

	if (cpuid_has_leaf(0x80000008))
		bits = cpuid(0x80000008, 0).eax & 0xff;
	return (paddr_t)1 << bits;
}

int arch_msi_message(uint32_t apic_id, unsigned int vector, struct msi_message *message)
{
	if (apic_id >= MSI_BROADCAST)
		return -ERANGE;
	message->address = MSI_ADDRESS | apic_id << MSI_DESTINATION_SHIFT;
	message->data = vector;
	return 0;
}
