/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on another CPU: pushed on its list without a lock, run by its interrupt handler. */
#include <arch/apic.h>
#include <lwk/cpu.h>
#include <lwk/panic.h>
#include <lwk/time.h>
#include <lwk/xcall.h>

#define ANSWER_WITHIN (30 * NS_PER_S) /* a host may keep a virtual CPU off its own for seconds */

static bool all_busy; /* one xcall_all() at a time: each CPU has one struct for it */

static void push(struct cpu *cpu, struct xcall *call)
{
	call->next = __atomic_load_n(&cpu->xcalls, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&cpu->xcalls, &call->next, call, false,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void run(xcall_fn fn, void *arg, uint32_t *pending)
{
	fn(arg);
	__atomic_sub_fetch(pending, 1, __ATOMIC_RELEASE);
}

static void xcall_interrupt(void *unused)
{
	struct xcall *call = __atomic_exchange_n(&this_cpu()->xcalls, NULL, __ATOMIC_ACQUIRE);

	(void)unused;
	while (call) {
		struct xcall *next = call->next; /* `call` is gone when it has run */

		run(call->fn, call->arg, call->pending);
		call = next;
	}
}

static void run_here(xcall_fn fn, void *arg, uint32_t *pending)
{
	uint64_t flags = interrupts_save();

	run(fn, arg, pending);
	interrupts_restore(flags);
}

/* Interrupts are on, so that two CPUs that call each other both go on. */
static void wait_for(uint32_t *pending, xcall_fn fn)
{
	uint64_t deadline = deadline_after(ANSWER_WITHIN);

	while (__atomic_load_n(pending, __ATOMIC_ACQUIRE)) {
		if (deadline_passed(deadline))
			panic("xcall: %u CPUs did not run %p within %llu s", *pending,
			      (void *)(uint64_t)fn, ANSWER_WITHIN / NS_PER_S);
		cpu_relax();
	}
}

void xcall_wake(unsigned int cpu_id)
{
	apic_send(cpus[cpu_id]->apic_id, IRQ_VECTOR_XCALL);
}

void xcall_one(unsigned int cpu_id, xcall_fn fn, void *arg)
{
	uint32_t pending = 1;
	struct xcall call = { NULL, fn, arg, &pending };

	if (cpu_id == this_cpu()->id) {
		run_here(fn, arg, &pending);
		return;
	}
	ASSERT(interrupts_enabled() && cpus[cpu_id]->online);
	push(cpus[cpu_id], &call);
	xcall_wake(cpu_id);
	wait_for(&pending, fn);
}

void xcall_all(xcall_fn fn, void *arg)
{
	uint32_t pending = 1; /* this one */

	ASSERT(interrupts_enabled());
	while (__atomic_exchange_n(&all_busy, true, __ATOMIC_ACQUIRE))
		cpu_relax();
	for (unsigned int id = 0; id < cpu_count; id++) {
		struct cpu *cpu = cpus[id];

		if (cpu == this_cpu() || !cpu->online)
			continue;
		__atomic_add_fetch(&pending, 1, __ATOMIC_RELAXED);
		cpu->xcall = (struct xcall){ NULL, fn, arg, &pending };
		push(cpu, &cpu->xcall);
		xcall_wake(id);
	}
	run_here(fn, arg, &pending);
	wait_for(&pending, fn);
	__atomic_store_n(&all_busy, false, __ATOMIC_RELEASE);
}

void xcall_init(void)
{
	if (irq_register(IRQ_VECTOR_XCALL, xcall_interrupt, NULL))
		panic("xcall: vector 0x%x is taken", IRQ_VECTOR_XCALL);
}
