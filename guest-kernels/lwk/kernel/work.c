/* SPDX-License-Identifier: Apache-2.0 */
/* Things to do later, on a chosen CPU's idle loop. */
#include <lwk/cpu.h>
#include <lwk/work.h>
#include <lwk/xcall.h>

void work_queue(unsigned int cpu_id, struct work *work)
{
	struct cpu *cpu = cpus[cpu_id];

	if (__atomic_exchange_n(&work->queued, true, __ATOMIC_ACQ_REL))
		return;
	work->next = __atomic_load_n(&cpu->work, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&cpu->work, &work->next, work, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	if (cpu != this_cpu())
		xcall_wake(cpu_id);
}

/* The list has the newest first. */
static struct work *reverse(struct work *work)
{
	struct work *reversed = NULL;

	while (work) {
		struct work *next = work->next;

		work->next = reversed;
		reversed = work;
		work = next;
	}
	return reversed;
}

bool work_pending(void)
{
	return __atomic_load_n(&this_cpu()->work, __ATOMIC_RELAXED);
}

void work_run_queued(void)
{
	struct work *work = reverse(__atomic_exchange_n(&this_cpu()->work, NULL, __ATOMIC_ACQUIRE));

	while (work) {
		struct work *next = work->next; /* it may be queued anew from here on */

		__atomic_store_n(&work->queued, false, __ATOMIC_RELEASE);
		work->run(work);
		work = next;
	}
}
