/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPUs and what each one owns. Ids are dense, in the order of the MADT; 0 is the one that
 * booted.
 */
#ifndef LWK_CPU_H
#define LWK_CPU_H

#include <arch/cpu.h>
#include <arch/percpu.h>
#include <ikc/ikc_atomic.h>
#include <lwk/irq.h>
#include <lwk/timer.h>
#include <lwk/types.h>
#include <lwk/work.h>
#include <lwk/xcall.h>

#define MAX_CPUS 1024

struct sleeper;
struct thread;

struct cpu {
	struct cpu *self; /* first: this_cpu() reads it through the segment base */
	uint64_t stack_top;
	uint32_t apic_id;
	uint32_t id;
	uint32_t node;
	bool online; /* set by the CPU itself once it takes interrupts */
	struct arch_cpu arch;

	/* the CPU's own, interrupts off */
	struct timer timer;
	uint32_t irq_counts[IRQ_VECTORS];
	paddr_t user_tables; /* that CR3 has; 0: the kernel's own. Others read it */
	uint32_t thread_count; /* that belong to it; atomic */
	uint32_t staying_count; /* of them, those that have not begun to end; atomic */
	struct thread *thread; /* that runs; NULL: the idle loop does */
	uint64_t idle_stack; /* of the idle loop, while a thread runs */
	uint64_t busy_ns; /* that threads have had it, until the last one left it. Others read these two */
	uint64_t busy_since; /* 0: none runs */
	struct sleeper *sleepers; /* who waits for the timer, the earliest first */
	struct thread *waiting; /* for their proxies, and others have the CPU meanwhile */
	bool waiting_asleep; /* their proxies are to ring at once */

	/* pushed to by other CPUs with compare-and-swap, emptied by the owner */
	_Alignas(CACHE_LINE) struct xcall *xcalls;
	struct work_list works;
	struct work_list threads; /* that can run */
	bool attends; /* it is in the kernel, and looks at both before it leaves that or sleeps: need not be woken */

	/* this CPU's part in an xcall_all(); whoever calls that has the right to it */
	_Alignas(CACHE_LINE) struct xcall xcall;

	/* written by the owner when a panic stops it: where it was; rip first, `parked` last */
	_Alignas(CACHE_LINE) uint64_t parked_rip;
	bool parked;
};

extern struct cpu *cpus[MAX_CPUS];

/* Of each CPU, side by side: one that starts looks for itself here, and touches no other's struct. */
extern uint32_t cpu_apic_ids[MAX_CPUS];

/* CPUs found; those that did not start are among them with online == false. */
extern unsigned int cpu_count;

unsigned int cpu_online_count(void);

/* This CPU takes interrupts. Returns how many there are now that do. */
unsigned int cpu_set_online(void);

/* Makes cpus[] out of the topology, each in its own node's memory, with stacks. */
void cpu_init(void);

/* Stable only while the caller cannot move: there is nothing to move it yet. */
static inline struct cpu *this_cpu(void)
{
	return percpu_self();
}

/* Whether any work is queued on this CPU. */
static inline bool work_pending(void)
{
	return !work_list_is_empty(&this_cpu()->works);
}

/* Works or threads wait for this CPU. */
static inline bool cpu_has_others(void)
{
	const struct cpu *cpu = this_cpu();

	return !work_list_is_empty(&cpu->works) || !work_list_is_empty(&cpu->threads);
}

/* This CPU has entered the kernel, and will look at its lists. */
static inline void cpu_attend(void)
{
	__atomic_store_n(&this_cpu()->attends, true, __ATOMIC_RELAXED);
}

/* It is about to sleep, or to go to user mode: whatever is added from here on wakes it. Look at cpu_has_others() behind this. */
static inline void cpu_ignore(void)
{
	ikc_store_ordered(&this_cpu()->attends, false);
}

/* After something was added to one of its lists. */
void cpu_wake(struct cpu *cpu);

/* Runs the work that is queued for this CPU, then its threads, and halts when there is neither. Interrupts on. */
_Noreturn void cpu_idle(void);

#endif
