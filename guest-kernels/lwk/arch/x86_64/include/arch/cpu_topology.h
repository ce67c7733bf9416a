/* SPDX-License-Identifier: Apache-2.0 */
/* What an APIC id is made of. */
#ifndef ARCH_CPU_TOPOLOGY_H
#define ARCH_CPU_TOPOLOGY_H

#include <lwk/types.h>

/* This CPU's APIC id, 32 bits where the CPU has so many. */
uint32_t cpu_topology_apic_id(void);

/* The package, the core in it (its die's bits included), and the thread in that. */
void cpu_topology_split(uint32_t apic_id, uint32_t *package, uint32_t *core, uint32_t *thread);

#endif
