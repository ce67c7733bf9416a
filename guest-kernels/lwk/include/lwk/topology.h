/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this partition is made of, as firmware tells it. Filled once at boot, constant from then on.
 */
#ifndef LWK_TOPOLOGY_H
#define LWK_TOPOLOGY_H

#include <lwk/cpu.h>
#include <lwk/types.h>

#define MAX_NODES 64
#define MAX_MEMORY_RANGES 128
#define TOPOLOGY_NO_NODE UINT32_MAX

struct topology_cpu {
	uint32_t apic_id;
	uint32_t node;
	/* parts of the APIC id, by CPUID 0x1f or 0xb */
	uint32_t package;
	uint32_t core;
	uint32_t thread;
};

/* Installed memory (SRAT; without one, the firmware's map of RAM): [base, base + size). */
struct topology_memory {
	uint64_t base;
	uint64_t size;
	uint32_t node;
};

struct topology {
	uint32_t cpu_count;
	uint32_t node_count;
	uint32_t memory_count;
	struct topology_cpu cpus[MAX_CPUS];
	struct topology_memory memory[MAX_MEMORY_RANGES];
	uint32_t proximity_domain[MAX_NODES]; /* the firmware's name of a node; ascending */
	uint8_t distance[MAX_NODES][MAX_NODES]; /* SLIT; without one, 10 and 20 */
	/*
	 * HMAT, from the initiator node (first) to the memory of the target (second); 0: not told
	 */
	uint32_t read_latency_ns[MAX_NODES][MAX_NODES];
	uint32_t read_bandwidth_mibps[MAX_NODES][MAX_NODES];
};

extern struct topology topology;

/* Bytes of installed memory on one node. */
uint64_t topology_node_memory(unsigned int node);

/* The node that the firmware calls by this proximity domain, or TOPOLOGY_NO_NODE. */
uint32_t topology_node_of(uint32_t domain);

/* From the ACPI tables; the other two are parts of it. */
void topology_init(void);
void topology_distance_init(void);
void topology_distance_log(void);

#endif
