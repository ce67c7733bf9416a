/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The APIC timer: compares with the TSC where the CPU can, else counts down the APIC's own clock.
 */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <lwk/log.h>
#include <lwk/time.h>

#define CPUID_TSC_DEADLINE (1 << 24)

static bool by_deadline;
static uint64_t count_hz; /* of the APIC's clock; 0: not measured yet */

void arch_timer_init(void)
{
	by_deadline = cpuid(1, 0).ecx & CPUID_TSC_DEADLINE;
}

/* Only when somebody first wants the timer: it takes a millisecond. */
static uint64_t measure_count_hz(void)
{
	uint64_t start, elapsed;
	uint32_t counted;

	apic_timer_start(UINT32_MAX);
	start = time_ns();
	do {
		elapsed = time_ns() - start;
	} while (elapsed < NS_PER_MS);
	counted = UINT32_MAX - apic_timer_current();
	apic_timer_stop();
	return counted * NS_PER_S / elapsed;
}

static uint64_t ticks_in(uint64_t ns, uint64_t hz)
{
	return ns / NS_PER_S * hz + ns % NS_PER_S * hz / NS_PER_S;
}

void arch_timer_start(uint64_t ns)
{
	uint64_t count;

	if (by_deadline) {
		apic_timer_start_deadline(tsc_read() + ticks_in(ns, time_tsc_hz()));
		return;
	}
	if (!count_hz)
		count_hz = measure_count_hz();
	count = ticks_in(ns, count_hz);
	apic_timer_start(MAX(1ul, MIN(count, (uint64_t)UINT32_MAX)));
}

void arch_timer_stop(void)
{
	apic_timer_stop();
}
