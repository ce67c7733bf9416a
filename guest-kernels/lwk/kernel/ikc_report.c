/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes what firmware told of CPUs, memory and distances, so that it can be compared with the
 * spec.
 */
#include <lwk/ikc_local.h>
#include <lwk/ikc_status.h>
#include <lwk/log.h>
#include <lwk/topology.h>

_Static_assert(MAX_CPUS <= IKC_REPORT_CPUS_MAX, "a report has room for every CPU");
_Static_assert(MAX_NODES <= IKC_REPORT_NODES_MAX, "a report has room for every node");
_Static_assert(MAX_MEMORY_RANGES <= IKC_REPORT_RANGES_MAX, "a report has room for every range");

/* The report uses the firmware's numbers of nodes, this kernel its own dense ones. */
static uint32_t domain(unsigned int node)
{
	return topology.proximity_domain[node];
}

static void report_distances(struct ikc_report *report, unsigned int from, unsigned int to)
{
	uint32_t i = domain(from), j = domain(to);

	if (i >= IKC_REPORT_NODES_MAX || j >= IKC_REPORT_NODES_MAX)
		return;
	report->distances[i][j] = topology.distance[from][to];
	report->latency_ns[i][j] = topology.read_latency_ns[from][to];
	report->bandwidth_mb[i][j] = topology.read_bandwidth_mibps[from][to];
}

void ikc_report_init(void)
{
	struct ikc_report *report = &ikc_local.partition->report;

	report->cpu_count = topology.cpu_count;
	report->node_count = topology.node_count;
	report->range_count = topology.memory_count;
	for (unsigned int i = 0; i < topology.cpu_count; i++)
		report->cpus[i] = (struct ikc_report_cpu){
			.apic_id = topology.cpus[i].apic_id,
			.node = domain(topology.cpus[i].node),
		};
	for (unsigned int i = 0; i < topology.memory_count; i++)
		report->ranges[i] = (struct ikc_report_range){
			.base = topology.memory[i].base,
			.size = topology.memory[i].size,
			.node = domain(topology.memory[i].node),
		};
	for (unsigned int from = 0; from < topology.node_count; from++)
		for (unsigned int to = 0; to < topology.node_count; to++)
			report_distances(report, from, to);
	ikc_store_release(&ikc_local.partition->status.report_valid, 1);
}
