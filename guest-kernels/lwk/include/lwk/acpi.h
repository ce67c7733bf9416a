/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's tables (ACPI 6.4). Read once at boot, on the boot page tables, into `platform` and
 * `topology`.
 */
#ifndef LWK_ACPI_H
#define LWK_ACPI_H

#include <lwk/types.h>

/* Section 5.2.6. */
struct acpi_table {
	char signature[4];
	uint32_t length; /* of the whole table */
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	uint32_t creator_id;
	uint32_t creator_revision;
} __attribute__((packed));

/* The table with this signature, its checksum right; NULL if there is none. */
const struct acpi_table *acpi_find(const char *signature);

/* A table whose address stands in another (the DSDT); NULL if it is not in order. */
const struct acpi_table *acpi_table_at(paddr_t address, const char *signature);

/* What most of the entries in MADT and SRAT begin with. */
struct acpi_entry {
	uint8_t type;
	uint8_t length;
} __attribute__((packed));

/*
 * The entry behind `entry` in a table whose entries begin at offset `first`; begin with NULL, ends
 * with NULL. Entries that do not fit into the table end it.
 */
const struct acpi_entry *acpi_next_entry(const struct acpi_table *table, size_t first,
					 const struct acpi_entry *entry);

/* Finds the tables, and fills `platform` from FADT, DSDT, MADT and MCFG. */
void acpi_init(void);

#endif
