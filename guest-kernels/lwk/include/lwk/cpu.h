/* SPDX-License-Identifier: Apache-2.0 */
/* The CPUs and what each one owns. Ids are dense, in the order of the MADT; 0 is the one that booted. */
#ifndef LWK_CPU_H
#define LWK_CPU_H

#include <arch/cpu.h>
#include <arch/percpu.h>
#include <lwk/types.h>

#define MAX_CPUS 1024

struct xcall;
struct work;

struct cpu {
	struct cpu *self; /* first: this_cpu() reads it through the segment base */
	uint64_t stack_top;
	uint32_t apic_id;
	uint32_t id;
	uint32_t node;
	bool online; /* set by the CPU itself once it takes interrupts */
	struct arch_cpu arch;

	/* written by other CPUs; lists are pushed to by compare-and-swap, and emptied by the owner */
	_Alignas(CACHE_LINE) struct xcall *xcalls;
	struct work *work;

	/* written by the owner, read by a panicking CPU */
	_Alignas(CACHE_LINE) uint64_t parked_rip;
	uint64_t parked_stack;
	bool parked;
};

extern struct cpu *cpus[MAX_CPUS];

/* CPUs found; those that did not start are in it with online == false. */
extern unsigned int cpu_count;

#define for_each_cpu(cpu)                                                                          \
	for (unsigned int cpu##_id = 0; cpu##_id < cpu_count; cpu##_id++)                          \
		for (struct cpu *cpu = cpus[cpu##_id]; cpu; cpu = NULL)

/* Stable only while the caller cannot move: there is nothing to move it yet. */
static inline struct cpu *this_cpu(void)
{
	return percpu_self();
}

/* Runs what other CPUs ask for, and halts when there is nothing. */
_Noreturn void cpu_idle(void);

#endif
