/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that wait for a time. A CPU's list is its own, with interrupts off. */
#include <lwk/cpu.h>
#include <lwk/process.h>
#include <lwk/sleep.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/timer.h>

static void rang(void *unused);

static void arm(void)
{
	const struct sleeper *first = this_cpu()->sleepers;
	uint64_t now = time_ns();

	if (first)
		timer_arm(first->deadline > now ? first->deadline - now : 0, rang, NULL);
	else
		timer_cancel();
}

static void rang(void *unused)
{
	struct cpu *cpu = this_cpu();
	uint64_t now = time_ns();

	(void)unused;
	while (cpu->sleepers && cpu->sleepers->deadline <= now) {
		struct sleeper *sleeper = cpu->sleepers;

		cpu->sleepers = sleeper->next;
		__atomic_store_n(&sleeper->due, true, __ATOMIC_RELEASE);
		thread_wake(sleeper->thread);
	}
	arm();
}

void sleep_begin(struct sleeper *sleeper, uint64_t deadline)
{
	struct sleeper **link = &this_cpu()->sleepers;
	uint64_t flags = interrupts_save();

	*sleeper = (struct sleeper){ .thread = this_thread(), .deadline = deadline };
	while (*link && (*link)->deadline <= deadline)
		link = &(*link)->next;
	sleeper->next = *link;
	*link = sleeper;
	arm();
	interrupts_restore(flags);
}

void sleep_end(struct sleeper *sleeper)
{
	struct sleeper **link = &this_cpu()->sleepers;
	uint64_t flags = interrupts_save();

	while (*link && *link != sleeper)
		link = &(*link)->next;
	if (*link) {
		*link = sleeper->next;
		arm();
	}
	interrupts_restore(flags);
}

void sleep_until(uint64_t deadline)
{
	struct thread *thread = this_thread();
	struct sleeper sleeper;

	sleep_begin(&sleeper, deadline);
	while (!sleep_is_over(&sleeper) && !signal_is_due(thread) && !process_is_ending(thread->process))
		thread_wait();
	sleep_end(&sleeper);
}
