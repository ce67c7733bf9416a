/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the PCI devices. Configuration space is reached by ECAM if ACPI tells of one, else by
 * ports.
 */
#include <arch/pci.h>
#include <lwk/log.h>
#include <lwk/mmio.h>
#include <lwk/paging.h>
#include <lwk/pci.h>
#include <lwk/platform.h>

#define BUSES 256
#define FUNCTIONS 8
#define DEVFNS 256
#define ECAM_BUS_SHIFT 20
#define ECAM_DEVFN_SHIFT 12

/* PCI 3.0, figure 6-1 */
#define REG_ID 0x00
#define REG_STATUS_COMMAND 0x04
#define REG_HEADER 0x0c
#define REG_BUSES 0x18
#define REG_CAPABILITIES 0x34

#define STATUS_HAS_CAPABILITIES (1u << 20)
#define HEADER_MULTI_FUNCTION (1u << 23)
#define HEADER_TYPE(header) ((header) >> 16 & 0x7f)
#define HEADER_BRIDGE 1
#define SECONDARY_BUS(buses) ((buses) >> 8 & 0xff)

#define CAPABILITIES_MAX 48 /* in 192 bytes of at least 4 each: a longer list runs in a circle */

struct pci_device pci_devices[PCI_DEVICES_MAX];
unsigned int pci_device_count;

static uint8_t *ecam[BUSES]; /* of each bus that was looked at; NULL: use ports */

static void *ecam_register(const struct pci_device *device, unsigned int offset)
{
	uint8_t *bus = ecam[device->bus];

	return bus ? bus + ((unsigned int)device->devfn << ECAM_DEVFN_SHIFT) + offset : NULL;
}

uint32_t pci_read32(const struct pci_device *device, unsigned int offset)
{
	void *at = ecam_register(device, offset);

	return at ? mmio_read32(at) : arch_pci_read32(device->bus, device->devfn, offset);
}

void pci_write32(const struct pci_device *device, unsigned int offset, uint32_t value)
{
	void *at = ecam_register(device, offset);

	if (at)
		mmio_write32(at, value);
	else
		arch_pci_write32(device->bus, device->devfn, offset, value);
}

void pci_write16(const struct pci_device *device, unsigned int offset, uint16_t value)
{
	void *at = ecam_register(device, offset);

	if (at)
		mmio_write16(at, value);
	else
		arch_pci_write16(device->bus, device->devfn, offset, value);
}

unsigned int pci_find_capability(const struct pci_device *device, uint8_t id)
{
	unsigned int at;

	if (!(pci_read32(device, REG_STATUS_COMMAND) & STATUS_HAS_CAPABILITIES))
		return 0;
	at = pci_read32(device, REG_CAPABILITIES) & 0xfc;
	for (int i = 0; at && i < CAPABILITIES_MAX; i++) {
		uint32_t head = pci_read32(device, at);

		if ((head & 0xff) == id)
			return at;
		at = head >> 8 & 0xfc;
	}
	return 0;
}

static void map_ecam(unsigned int bus)
{
	if (!platform.ecam_base || bus < platform.ecam_first_bus || bus > platform.ecam_last_bus)
		return;
	ecam[bus] = map_physical(platform.ecam_base + ((paddr_t)bus << ECAM_BUS_SHIFT),
				 1ul << ECAM_BUS_SHIFT, MEMORY_UNCACHED);
}

/* Returns false if there is no such function. */
static bool add_function(struct pci_device *found)
{
	uint32_t id = pci_read32(found, REG_ID);

	if ((id & 0xffff) == 0xffff)
		return false;
	found->vendor = id & 0xffff;
	found->device = id >> 16;
	if (pci_device_count < PCI_DEVICES_MAX)
		pci_devices[pci_device_count++] = *found;
	else
		log_warn("pci: more than %u devices: %02x:%02x is not used", PCI_DEVICES_MAX,
			 found->bus, found->devfn);
	return true;
}

/*
 * `wanted` marks the buses to look at; a bridge adds the one behind it, of a higher number.
 */
static void scan_bus(unsigned int bus, bool *wanted)
{
	for (unsigned int devfn = 0; devfn < DEVFNS; devfn++) {
		struct pci_device found = { .bus = bus, .devfn = devfn };
		uint32_t header;

		if (!add_function(&found)) {
			if (devfn % FUNCTIONS == 0)
				devfn += FUNCTIONS - 1;
			continue;
		}
		header = pci_read32(&found, REG_HEADER);
		if (HEADER_TYPE(header) == HEADER_BRIDGE) {
			unsigned int behind = SECONDARY_BUS(pci_read32(&found, REG_BUSES));

			if (behind > bus)
				wanted[behind] = true;
		}
		if (devfn % FUNCTIONS == 0 && !(header & HEADER_MULTI_FUNCTION))
			devfn += FUNCTIONS - 1;
	}
}

void pci_init(void)
{
	bool wanted[BUSES] = { true };

	for (unsigned int bus = 0; bus < BUSES; bus++) {
		if (!wanted[bus])
			continue;
		map_ecam(bus);
		scan_bus(bus, wanted);
	}
	log_info("pci: %u devices, configured by %s", pci_device_count, ecam[0] ? "ECAM" : "ports");
}
