/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X (PCI 3.0, 6.8.2): a table in one of the device's BARs says what it writes where to
 * interrupt whom.
 */
#include <arch/pci.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/mmio.h>
#include <lwk/pci.h>

#define CAPABILITY_MSIX 0x11
#define CONTROL_ENTRIES(head) (((head) >> 16 & 0x7ff) + 1)
#define CONTROL_ENABLE 0x8000
#define CONTROL_MASK_ALL 0x4000
#define TABLE_BAR 0x7u

#define ENTRY_SIZE 16
#define ENTRY_ADDRESS_LOW 0
#define ENTRY_ADDRESS_HIGH 4
#define ENTRY_DATA 8
#define ENTRY_CONTROL 12

static void write_entry(uint8_t *entry, const struct msi_message *message)
{
	mmio_write32(entry + ENTRY_ADDRESS_LOW, message->address);
	mmio_write32(entry + ENTRY_ADDRESS_HIGH, message->address >> 32);
	mmio_write32(entry + ENTRY_DATA, message->data);
	mmio_write32(entry + ENTRY_CONTROL, 0); /* not masked */
}

bool pci_has_msix(const struct pci_device *device)
{
	return pci_find_capability(device, CAPABILITY_MSIX) != 0;
}

int pci_enable_msix(const struct pci_device *device, const unsigned int *irqs,
		    const unsigned int *cpu_ids, unsigned int count)
{
	unsigned int capability = pci_find_capability(device, CAPABILITY_MSIX);
	uint32_t table;
	uint8_t *entries;

	if (!capability || CONTROL_ENTRIES(pci_read32(device, capability)) < count)
		return -ENODEV;
	table = pci_read32(device, capability + 4);
	entries = pci_map_bar(device, table & TABLE_BAR, MEMORY_UNCACHED);
	if (!entries)
		return -ENOMEM;

	/* entries start masked and must not be changed while one may be sent */
	pci_write16(device, capability + 2, CONTROL_ENABLE | CONTROL_MASK_ALL);
	for (unsigned int i = 0; i < count; i++) {
		struct msi_message message;
		int err = arch_msi_message(cpus[cpu_ids[i]]->apic_id, irqs[i], &message);

		if (err)
			return err;
		write_entry(entries + (table & ~TABLE_BAR) + i * ENTRY_SIZE, &message);
	}
	pci_write16(device, capability + 2, CONTROL_ENABLE);
	return 0;
}
