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

/*
 * Under KVM bits 5-11 are bits 8-14 of the destination, if it says so (Linux,
 * Documentation/virt/kvm/x86/cpuid.rst, KVM_FEATURE_MSI_EXT_DEST_ID).
 */
#define KVM_SIGNATURE 0x40000000
#define KVM_SIGNATURE_EBX 0x4b4d564b /* "KVMK" */
#define KVM_FEATURES 0x40000001
#define KVM_MSI_EXT_DEST_ID (1 << 15)
#define MSI_EXT_DESTINATION_MAX 0x7fff
#define MSI_EXT_DESTINATION_SHIFT 5

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

static bool has_extended_destinations(void)
{
	return cpuid_has_leaf(KVM_FEATURES) &&
	       cpuid(KVM_SIGNATURE, 0).ebx == KVM_SIGNATURE_EBX &&
	       cpuid(KVM_FEATURES, 0).eax & KVM_MSI_EXT_DEST_ID;
}

int arch_msi_message(uint32_t apic_id, unsigned int vector, struct msi_message *message)
{
	if (apic_id >= MSI_BROADCAST &&
	    (apic_id > MSI_EXT_DESTINATION_MAX || !has_extended_destinations()))
		return -ERANGE;
	message->address = MSI_ADDRESS | (apic_id & 0xff) << MSI_DESTINATION_SHIFT |
			   (apic_id >> 8) << MSI_EXT_DESTINATION_SHIFT;
	message->data = vector;
	return 0;
}
