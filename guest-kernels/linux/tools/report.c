/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl report: the CPUs, memory and distances that a partition's kernel found. */
#include <stdio.h>

#include "device.h"
#include "error.h"
#include "options.h"
#include "verbs.h"

/* The report is the partition's: counts are bounded once, here. */
struct report {
	const struct ikc_report *shared;
	uint32_t cpus;
	uint32_t nodes;
	uint32_t ranges;
};

static uint32_t report_bounded(const uint32_t *count, uint32_t most)
{
	uint32_t n = ikc_load(count);

	return n < most ? n : most;
}

static struct report report_find(const struct device *device, uint32_t index)
{
	const struct ikc_partition *partition = device_partition(device, index);
	struct report report = { .shared = &partition->report };
	char name[IKC_NAME_SIZE];

	if (!ikc_load_acquire(&partition->status.report_valid)) {
		device_name(device, index, name);
		die(EXIT_FAILED, "%s has not reported what it found", name);
	}
	report.cpus = report_bounded(&report.shared->cpu_count, IKC_REPORT_CPUS_MAX);
	report.nodes = report_bounded(&report.shared->node_count, IKC_REPORT_NODES_MAX);
	report.ranges = report_bounded(&report.shared->range_count, IKC_REPORT_RANGES_MAX);
	return report;
}

/* ---- for people ---- */

static void report_print_node(const struct report *report, uint32_t node)
{
	uint64_t size = 0;
	uint32_t i;

	for (i = 0; i < report->ranges; i++)
		if (ikc_load(&report->shared->ranges[i].node) == node)
			size += ikc_load(&report->shared->ranges[i].size);
	printf("node %u: %llu MiB, APIC ids", node, (unsigned long long)(size >> 20));
	for (i = 0; i < report->cpus; i++)
		if (ikc_load(&report->shared->cpus[i].node) == node)
			printf(" %u", ikc_load(&report->shared->cpus[i].apic_id));
	fputs(", distances", stdout);
	for (i = 0; i < report->nodes; i++)
		printf(" %u", report->shared->distances[node][i]);
	putchar('\n');
}

static void report_print(const struct report *report)
{
	uint32_t node;

	for (node = 0; node < report->nodes; node++)
		report_print_node(report, node);
}

/* ---- for programs ---- */

static void report_json_distances(const struct report *report)
{
	uint32_t row, column;

	for (row = 0; row < report->nodes; row++) {
		printf("%s[", row ? ", " : "");
		for (column = 0; column < report->nodes; column++)
			printf("%s%u", column ? ", " : "", report->shared->distances[row][column]);
		putchar(']');
	}
}

static void report_json_matrix(const struct report *report,
			       const uint32_t matrix[IKC_REPORT_NODES_MAX][IKC_REPORT_NODES_MAX])
{
	uint32_t row, column;

	for (row = 0; row < report->nodes; row++) {
		printf("%s[", row ? ", " : "");
		for (column = 0; column < report->nodes; column++)
			printf("%s%u", column ? ", " : "", ikc_load(&matrix[row][column]));
		putchar(']');
	}
}

static void report_json(const struct report *report)
{
	uint32_t i;

	fputs("{\"cpus\": [", stdout);
	for (i = 0; i < report->cpus; i++)
		printf("%s{\"apic_id\": %u, \"node\": %u}", i ? ", " : "",
		       ikc_load(&report->shared->cpus[i].apic_id), ikc_load(&report->shared->cpus[i].node));
	fputs("], \"ranges\": [", stdout);
	for (i = 0; i < report->ranges; i++)
		printf("%s{\"base\": %llu, \"size\": %llu, \"node\": %u}", i ? ", " : "",
		       (unsigned long long)ikc_load(&report->shared->ranges[i].base),
		       (unsigned long long)ikc_load(&report->shared->ranges[i].size),
		       ikc_load(&report->shared->ranges[i].node));
	fputs("], \"distances\": [", stdout);
	report_json_distances(report);
	fputs("], \"latency_ns\": [", stdout);
	report_json_matrix(report, report->shared->latency_ns);
	fputs("], \"bandwidth_mb\": [", stdout);
	report_json_matrix(report, report->shared->bandwidth_mb);
	puts("]}");
}

int verb_report(char **words)
{
	static const struct option_rule rules[] = { { "--json", false }, { 0 } };
	struct options options = options_read(words, rules, "PEER");
	struct device device = device_open();
	struct report report = report_find(&device, device_find(&device, options.operands[0]));

	if (options.values[0])
		report_json(&report);
	else
		report_print(&report);
	return 0;
}
