/* SPDX-License-Identifier: Apache-2.0 */
/* Self-test of the timer: comes when asked for, and at no other time. */
#include <lwk/cpu.h>
#include <lwk/irq.h>
#include <lwk/selftest.h>
#include <lwk/time.h>
#include <lwk/timer.h>

#define DELAY (5 * NS_PER_MS)
#define QUIET (20 * NS_PER_MS)
#define LATE (10 * NS_PER_S) /* the host may be busy; a factor of 1000 would still show */

static uint64_t fired_at;

static void note_time(void *arg)
{
	__atomic_store_n((uint64_t *)arg, time_ns(), __ATOMIC_RELEASE);
}

static void pass_time(uint64_t ns)
{
	uint64_t deadline = deadline_after(ns);

	while (!deadline_passed(deadline))
		cpu_relax();
}

static void sleep_until_fired(void)
{
	interrupts_disable();
	while (!__atomic_load_n(&fired_at, __ATOMIC_ACQUIRE)) {
		halt_until_interrupt();
		interrupts_disable();
	}
	interrupts_enable();
}

const char *selftest_timer(void)
{
	uint64_t before = irq_count(IRQ_VECTOR_TIMER), armed_at, late;

	pass_time(QUIET);
	if (irq_count(IRQ_VECTOR_TIMER) != before)
		return selftest_failed("a timer interrupt that nobody asked for");

	fired_at = 0;
	armed_at = time_ns();
	timer_arm(DELAY, note_time, &fired_at);
	sleep_until_fired();
	if (fired_at < armed_at + DELAY)
		return selftest_failed("the timer came after %lu ns, want %llu",
				       fired_at - armed_at, DELAY);
	late = fired_at - armed_at - DELAY;
	if (late > LATE)
		return selftest_failed("the timer came %lu ns late", late);

	fired_at = 0;
	timer_arm(DELAY, note_time, &fired_at);
	timer_cancel();
	pass_time(QUIET);
	if (fired_at)
		return selftest_failed("a cancelled timer came");
	return NULL;
}
