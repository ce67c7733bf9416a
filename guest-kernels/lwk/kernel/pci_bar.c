/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a device's registers and memory lie. SeaBIOS places every BAR, qboot none: what has an
 * address keeps it, and what has none gets one here, so the two kinds never meet in one machine.
 */
#include <arch/pci.h>
#include <lwk/errno.h>
#include <lwk/log.h>
#include <lwk/pci.h>
#include <lwk/platform.h>

/* PCI 3.0, 6.2.5 */
#define REG_COMMAND 0x04
#define REG_BAR(i) (0x10 + 4 * (i))
#define COMMAND_MEMORY 0x2
#define COMMAND_MASTER 0x4
#define COMMAND_NO_INTX 0x400
#define BAR_IO 0x1
#define BAR_64BIT 0x4
#define BAR_FLAGS 0xful

/*
 * On q35 and pc, RAM and ECAM end below, and the first of the chipset's own devices (IOAPIC) begins
 * above.
 */
#define LOW_BASE 0xe0000000ul
#define LOW_END 0xfec00000ul

static paddr_t next_low = LOW_BASE;
static paddr_t next_high; /* 0: nothing placed yet */

static uint64_t read_bar(const struct pci_device *device, unsigned int i, bool wide)
{
	uint64_t value = pci_read32(device, REG_BAR(i));

	return wide ? value | (uint64_t)pci_read32(device, REG_BAR(i + 1)) << 32 : value;
}

static void write_bar(const struct pci_device *device, unsigned int i, bool wide, uint64_t value)
{
	pci_write32(device, REG_BAR(i), value);
	if (wide)
		pci_write32(device, REG_BAR(i + 1), value >> 32);
}

/* A BAR is aligned to its size, a power of two. Returns 0 when there is no room. */
static paddr_t place(uint64_t size, bool wide)
{
	paddr_t *next = wide ? &next_high : &next_low;
	paddr_t end = wide ? arch_physical_end() : LOW_END;
	paddr_t base;

	if (!next_high)
		next_high = MAX(platform.memory_end, GIB(4));
	base = ALIGN_UP(*next, size);
	if (base >= end || size > end - base)
		return 0;
	*next = base + size;
	return base;
}

/* The device does not decode memory now. */
static int find_bar(struct pci_device *device, unsigned int i, bool wide)
{
	uint64_t value = read_bar(device, i, wide);
	uint64_t mask;
	struct pci_bar *bar = &device->bars[i];

	write_bar(device, i, wide, ~0ul);
	mask = read_bar(device, i, wide) & ~BAR_FLAGS;
	if (!wide)
		mask |= mask ? ~0ul << 32 : 0;
	bar->size = mask & -mask; /* the lowest address bit that can be set */
	bar->base = value & ~BAR_FLAGS;
	if (bar->size && !bar->base) {
		bar->base = place(bar->size, wide);
		if (!bar->base) {
			log_error("pci: %02x:%02x: no room for BAR %u of %lu KiB", device->bus,
				  device->devfn, i, bar->size / KIB(1));
			return -ENOSPC;
		}
	}
	write_bar(device, i, wide, bar->base);
	return 0;
}

int pci_enable(struct pci_device *device)
{
	uint16_t command = pci_read32(device, REG_COMMAND);

	pci_write16(device, REG_COMMAND, command & ~COMMAND_MEMORY);
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint32_t value = pci_read32(device, REG_BAR(i));
		bool wide = value & BAR_64BIT && i + 1 < PCI_BARS;
		int err;

		if (value & BAR_IO)
			continue;
		err = find_bar(device, i, wide);
		if (err)
			return err;
		i += wide;
	}
	pci_write16(device, REG_COMMAND,
		    command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_INTX);
	return 0;
}

void *pci_map_bar(const struct pci_device *device, unsigned int bar, enum memory_type type)
{
	if (bar >= PCI_BARS || !device->bars[bar].size)
		return NULL;
	return map_physical(device->bars[bar].base, device->bars[bar].size, type);
}
