/* SPDX-License-Identifier: Apache-2.0 */
/* Things to do later, on a chosen CPU's idle loop. */
#include <lwk/cpu.h>
#include <lwk/work.h>

HOT bool work_list_add(struct work_list *list, struct work *work)
{
	if (__atomic_exchange_n(&work->queued, true, __ATOMIC_SEQ_CST))
		return false;
	work->next = __atomic_load_n(&list->added, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&list->added, &work->next, work, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	return true;
}

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

/*
 * It may be queued anew from when the flag is down. That is before it looks at anything: who found the flag
 * up has his words seen.
 */
HOT bool work_list_run_one(struct work_list *list)
{
	struct work *work;

	if (!list->batch)
		list->batch = reverse(__atomic_exchange_n(&list->added, NULL, __ATOMIC_ACQUIRE));
	work = list->batch;
	if (!work)
		return false;
	list->batch = work->next;
	__atomic_store_n(&work->queued, false, __ATOMIC_SEQ_CST);
	work->run(work);
	return true;
}

void work_queue(unsigned int cpu_id, struct work *work)
{
	struct cpu *cpu = cpus[cpu_id];

	if (work_list_add(&cpu->works, work))
		cpu_wake(cpu);
}

HOT void work_run_queued(void)
{
	struct work_list *works = &this_cpu()->works;

	do
		work_list_run_one(works);
	while (works->batch);
}
