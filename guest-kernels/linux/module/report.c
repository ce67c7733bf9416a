// SPDX-License-Identifier: GPL-2.0-only
/*
 * The topology report: CPUs and distances as this kernel uses them, memory ranges as SRAT tells them,
 * latency and bandwidth as HMAT tells them. Nodes are numbered by their proximity domains (ACPI 6.4,
 * 5.2.16 and 5.2.27), which is what an LWK reports too.
 */
#include <linux/acpi.h>
#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/numa.h>
#include <linux/topology.h>

#include <asm/smp.h>

#include "report.h"

/* ACPI's wildcard for "not provided" and "unreachable". */
#define HMAT_UNKNOWN 0xffff

static u32 report_domain(int node)
{
	u32 domain;

	for (domain = 0; domain < IKC_REPORT_NODES_MAX; domain++)
		if (pxm_to_node(domain) == node)
			return domain;
	return 0; /* no SRAT: one node */
}

static void report_cpus(struct ikc_report *report)
{
	unsigned int cpu;
	u32 count = 0;

	/* Those that init has yet to start are the partition's too. */
	for_each_present_cpu(cpu) {
		if (count == IKC_REPORT_CPUS_MAX)
			break;
		report->cpus[count].apic_id = per_cpu(x86_cpu_to_apicid, cpu);
		report->cpus[count].node = report_domain(cpu_to_node(cpu));
		count++;
	}
	report->cpu_count = count;
}

static void report_distances(struct ikc_report *report)
{
	int from, to;

	report->node_count = 0;
	for_each_online_node(from) {
		u32 row = report_domain(from);

		report->node_count = max(report->node_count, row + 1);
		for_each_online_node(to)
			report->distances[row][report_domain(to)] = node_distance(from, to);
	}
}

static void report_range(struct ikc_report *report, u64 base, u64 size, u32 node)
{
	struct ikc_report_range *range = &report->ranges[report->range_count];

	if (!size || report->range_count == IKC_REPORT_RANGES_MAX)
		return;
	range->base = base;
	range->size = size;
	range->node = node;
	report->range_count++;
}

static void report_srat(struct ikc_report *report, const struct acpi_table_header *srat)
{
	const void *at = (const void *)srat + sizeof(struct acpi_table_srat);
	const void *end = (const void *)srat + srat->length;

	while (at + sizeof(struct acpi_subtable_header) <= end) {
		const struct acpi_subtable_header *entry = at;
		const struct acpi_srat_mem_affinity *memory = at;

		if (entry->length < sizeof(*entry) || at + entry->length > end)
			break;
		if (entry->type == ACPI_SRAT_TYPE_MEMORY_AFFINITY &&
		    entry->length >= sizeof(*memory) && (memory->flags & ACPI_SRAT_MEM_ENABLED))
			report_range(report, memory->base_address, memory->length,
				     memory->proximity_domain);
		at += entry->length;
	}
}

/* One entry of a matrix: in ACPI's unit (ps or MB/s) times the base unit. */
static void report_hmat_entry(struct ikc_report *report, u8 type, u32 from, u32 to, u64 value)
{
	if (from >= IKC_REPORT_NODES_MAX || to >= IKC_REPORT_NODES_MAX)
		return;
	if (type == ACPI_HMAT_ACCESS_LATENCY || type == ACPI_HMAT_READ_LATENCY)
		report->latency_ns[from][to] = div_u64(value, 1000);
	else if (type == ACPI_HMAT_ACCESS_BANDWIDTH || type == ACPI_HMAT_READ_BANDWIDTH)
		report->bandwidth_mb[from][to] = value;
}

/* ACPI 6.4, 5.2.27.4: header, initiators, targets, entries. */
static void report_hmat_matrix(struct ikc_report *report, const struct acpi_hmat_locality *matrix)
{
	u64 initiators = matrix->number_of_initiator_Pds;
	u64 targets = matrix->number_of_target_Pds;
	const u32 *from = (const u32 *)(matrix + 1);
	const u32 *to = from + initiators;
	const u16 *entry = (const u16 *)(to + targets);
	u64 needed = sizeof(*matrix) + 4 * (initiators + targets) + 2 * initiators * targets;
	u64 row, column;

	if ((matrix->flags & ACPI_HMAT_MEMORY_HIERARCHY) != ACPI_HMAT_MEMORY ||
	    initiators > IKC_REPORT_NODES_MAX || targets > IKC_REPORT_NODES_MAX ||
	    matrix->header.length < needed)
		return;
	for (row = 0; row < initiators; row++)
		for (column = 0; column < targets; column++, entry++)
			if (*entry && *entry != HMAT_UNKNOWN)
				report_hmat_entry(report, matrix->data_type, from[row], to[column],
						  matrix->entry_base_unit * *entry);
}

static void report_hmat(struct ikc_report *report, const struct acpi_table_header *hmat)
{
	const void *at = (const void *)hmat + sizeof(struct acpi_table_hmat);
	const void *end = (const void *)hmat + hmat->length;

	while (at + sizeof(struct acpi_hmat_locality) <= end) {
		const struct acpi_hmat_structure *entry = at;

		if (entry->length < sizeof(*entry) || at + entry->length > end)
			break;
		if (entry->type == ACPI_HMAT_TYPE_LOCALITY &&
		    entry->length >= sizeof(struct acpi_hmat_locality))
			report_hmat_matrix(report, at);
		at += entry->length;
	}
}

static void report_table(struct ikc_report *report, char *signature,
			 void (*read)(struct ikc_report *, const struct acpi_table_header *))
{
	struct acpi_table_header *table;

	if (ACPI_FAILURE(acpi_get_table(signature, 1, &table)))
		return;
	read(report, table);
	acpi_put_table(table);
}

int report_write(struct ikc_report *shared)
{
	/* Made in private memory: counts that are read back from shared memory could be anyone's. */
	struct ikc_report *report = kvzalloc(sizeof(*report), GFP_KERNEL);

	if (!report)
		return -ENOMEM;
	report_cpus(report);
	report_distances(report);
	report_table(report, ACPI_SIG_SRAT, report_srat);
	report_table(report, ACPI_SIG_HMAT, report_hmat);
	memcpy(shared, report, sizeof(*report));
	kvfree(report);
	return 0;
}
