/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the firmware's tables. */
#include <lwk/acpi.h>
#include <lwk/log.h>
#include <lwk/paging.h>
#include <lwk/platform.h>
#include <lwk/string.h>

#define RSDP_SIGNATURE "RSD PTR "
#define RSDP_V1_LENGTH 20

/* Section 5.2.5.3. */
struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	/* revision 2 and up */
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

static const struct acpi_table *root; /* RSDT or XSDT */
static unsigned int root_pointer_size;

/* Below 4 GiB, where the boot page tables map everything. */
static bool reachable(paddr_t address, uint64_t length)
{
	return address && address < GIB(4) && length <= GIB(4) - address;
}

static bool checksum_right(const void *table, size_t length)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	while (length--)
		sum += *bytes++;
	return sum == 0;
}

const struct acpi_table *acpi_table_at(paddr_t address, const char *signature)
{
	const struct acpi_table *table = phys_to_virt(address);

	if (!reachable(address, sizeof(*table)) || memcmp(table->signature, signature, 4))
		return NULL;
	if (table->length < sizeof(*table) || !reachable(address, table->length) ||
	    !checksum_right(table, table->length)) {
		log_warn("acpi: %s at 0x%lx (%u bytes) is damaged, and ignored", signature, address,
			 table->length);
		return NULL;
	}
	return table;
}

const struct acpi_table *acpi_find(const char *signature)
{
	size_t count = root ? (root->length - sizeof(*root)) / root_pointer_size : 0;
	const char *pointers = (const char *)(root + 1);

	for (size_t i = 0; i < count; i++) {
		const struct acpi_table *table;
		paddr_t address = 0;

		memcpy(&address, pointers + i * root_pointer_size, root_pointer_size);
		table = acpi_table_at(address, signature);
		if (table)
			return table;
	}
	return NULL;
}

const struct acpi_entry *acpi_next_entry(const struct acpi_table *table, size_t first,
					 const struct acpi_entry *entry)
{
	const char *end = (const char *)table + table->length;
	const char *next = entry ? (const char *)entry + entry->length
				 : (const char *)table + first;

	entry = (const struct acpi_entry *)next;
	if (next + sizeof(*entry) > end || entry->length < sizeof(*entry) ||
	    next + entry->length > end)
		return NULL;
	return entry;
}

static void find_root(void)
{
	const struct rsdp *rsdp = phys_to_virt(platform.rsdp);

	if (!reachable(platform.rsdp, sizeof(*rsdp)) ||
	    memcmp(rsdp->signature, RSDP_SIGNATURE, 8) || !checksum_right(rsdp, RSDP_V1_LENGTH)) {
		log_error("acpi: no root pointer at 0x%lx", platform.rsdp);
		return;
	}
	if (rsdp->revision >= 2)
		root = acpi_table_at(rsdp->xsdt, "XSDT");
	root_pointer_size = 8;
	if (!root) {
		root = acpi_table_at(rsdp->rsdt, "RSDT");
		root_pointer_size = 4;
	}
}

/* Section 5.2.9; the offsets are those of its table. */
struct fadt {
	struct acpi_table header;
	uint32_t firmware_control;
	uint32_t dsdt;
	uint8_t unused1[20];
	uint32_t pm1a_control; /* 64 */
	uint8_t unused2[8];
	uint32_t pm_timer; /* 76 */
	uint8_t unused3[32];
	uint32_t flags; /* 112 */
	/* revision 2 and up: a generic address (section 5.2.3.2) and its value */
	uint8_t reset_space; /* 116 */
	uint8_t reset_unused[3];
	uint64_t reset_address;
	uint8_t reset_value; /* 128 */
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, pm1a_control) == 64, "FADT");
_Static_assert(offsetof(struct fadt, pm_timer) == 76, "FADT");
_Static_assert(offsetof(struct fadt, reset_space) == 116, "FADT");
_Static_assert(offsetof(struct fadt, reset_value) == 128, "FADT");

#define FADT_RESET_SUPPORTED (1 << 10)
#define SPACE_IO 1

/*
 * The sleep type for S5, out of the DSDT: Name (\_S5, Package () {type, ...}). Only this one shape
 * is understood (section 20.2): NameOp? "_S5_" PackageOp length count [BytePrefix] type.
 */
static uint16_t find_s5_type(const struct acpi_table *dsdt)
{
	const uint8_t *aml = (const uint8_t *)(dsdt + 1);
	size_t size = dsdt->length - sizeof(*dsdt);

	for (size_t i = 0; i + 12 < size; i++) {
		const uint8_t *at = aml + i + 4;

		if (memcmp(aml + i, "_S5_", 4) || *at++ != 0x12)
			continue;
		at += 1 + (*at >> 6); /* package length: 1 to 4 bytes */
		at++;                 /* count */
		if (*at == 0x0a)
			at++;
		return *at; /* ZeroOp and OneOp are their own values */
	}
	log_warn("acpi: no \\_S5 in the DSDT, powering off with sleep type 0");
	return 0;
}

static void read_fadt(void)
{
	const struct acpi_table *table = acpi_find("FACP");
	const struct fadt *fadt = (const void *)table;
	const struct acpi_table *dsdt;

	if (!table || table->length < offsetof(struct fadt, reset_space)) {
		log_warn("acpi: no FADT: no PM timer, no power-off");
		return;
	}
	platform.pm_timer_port = fadt->pm_timer;
	platform.pm1a_control_port = fadt->pm1a_control;
	dsdt = acpi_table_at(fadt->dsdt, "DSDT");
	if (dsdt)
		platform.s5_sleep_type = find_s5_type(dsdt);
	if (table->length >= sizeof(*fadt) && fadt->flags & FADT_RESET_SUPPORTED &&
	    fadt->reset_space == SPACE_IO) {
		platform.reset_port = fadt->reset_address;
		platform.reset_value = fadt->reset_value;
	}
}

/* PCI Firmware Specification 3.3, table 4-2; only segment 0. */
struct mcfg_entry {
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus;
	uint32_t reserved;
} __attribute__((packed));

#define MCFG_ENTRIES 44

static void read_mcfg(void)
{
	const struct acpi_table *table = acpi_find("MCFG");

	for (size_t at = MCFG_ENTRIES; table && at + sizeof(struct mcfg_entry) <= table->length;
	     at += sizeof(struct mcfg_entry)) {
		const struct mcfg_entry *entry = (const void *)((const char *)table + at);

		if (entry->segment != 0)
			continue;
		platform.ecam_base = entry->base;
		platform.ecam_first_bus = entry->first_bus;
		platform.ecam_last_bus = entry->last_bus;
		return;
	}
	log_warn("acpi: no MCFG: PCI devices are out of reach");
}

void acpi_init(void)
{
	find_root();
	read_fadt();
	read_mcfg();
}
