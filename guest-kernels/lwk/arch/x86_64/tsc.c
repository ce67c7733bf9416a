/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time from the time-stamp counter, which runs at one rate on every CPU of a VM (invariant,
 * synchronised).
 */
#include <arch/cpu.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/platform.h>
#include <lwk/time.h>

/* ACPI 6.4, section 4.8.3.3: 24 bits at least, whatever the width */
#define PM_TIMER_HZ 3579545ull
#define PM_TIMER_MASK 0xffffff
#define CALIBRATION_TICKS (PM_TIMER_HZ * 3 / 1000) /* 3 ms: one tick more or less is 0.01 % */
#define CALIBRATION_TSC_MAX (1ull << 35) /* 3 s at 10 GHz; 3 ms have gone by long before */

static uint64_t origin;
static uint64_t frequency;
static uint64_t ns_per_tick_32; /* with 32 bits behind the point */

/* SDM 2A, CPUID leaf 0x15: TSC Hz = crystal Hz * EBX / EAX, any of them may be 0 (not told). */
static uint64_t frequency_from_crystal(void)
{
	struct cpuid leaf;

	if (!cpuid_has_leaf(0x15))
		return 0;
	leaf = cpuid(0x15, 0);
	return leaf.eax ? (uint64_t)leaf.ecx * leaf.ebx / leaf.eax : 0;
}

/* The hypervisor's timing leaf (VMware's, also KVM's): EAX = TSC kHz. */
static uint64_t frequency_from_hypervisor(void)
{
	return cpuid_has_leaf(0x40000010) ? cpuid(0x40000010, 0).eax * 1000ull : 0;
}

/* A pair of readings; of several tries the one least disturbed by the host. */
static uint32_t read_pm_timer(uint64_t *tsc)
{
	uint64_t best = UINT64_MAX;
	uint32_t ticks = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t before = tsc_read();
		uint32_t now = in32(platform.pm_timer_port) & PM_TIMER_MASK;
		uint64_t after = tsc_read();

		if (after - before < best) {
			best = after - before;
			ticks = now;
			*tsc = before + best / 2;
		}
	}
	return ticks;
}

static uint64_t frequency_by_pm_timer(void)
{
	uint64_t start_tsc, end_tsc;
	uint32_t start, ticks;

	if (!platform.pm_timer_port)
		panic("no frequency of the TSC in CPUID, and no PM timer to measure it by");
	start = read_pm_timer(&start_tsc);
	do {
		ticks = (read_pm_timer(&end_tsc) - start) & PM_TIMER_MASK;
		if (end_tsc - start_tsc > CALIBRATION_TSC_MAX)
			panic("the PM timer at port 0x%x stands still", platform.pm_timer_port);
	} while (ticks < CALIBRATION_TICKS);
	return (end_tsc - start_tsc) * PM_TIMER_HZ / ticks;
}

void time_init(void)
{
	const char *source = "CPUID leaf 0x15";

	frequency = frequency_from_crystal();
	if (!frequency) {
		source = "CPUID leaf 0x40000010";
		frequency = frequency_from_hypervisor();
	}
	if (!frequency) {
		source = "PM timer";
		frequency = frequency_by_pm_timer();
	}
	ns_per_tick_32 = (NS_PER_S << 32) / frequency;
	log_info("time: TSC %lu.%03lu MHz, by %s", (frequency / 1000000),
		 (frequency / 1000 % 1000), source);
	/* A virtual machine's TSC begins at 0: till the first instruction here, all was firmware. */
	log_info("time: firmware took %lu us",
		 (uint64_t)((unsigned __int128)origin * ns_per_tick_32 >> 32) / 1000);
}

uint64_t time_tsc_hz(void)
{
	return frequency;
}

uint64_t time_ns(void)
{
	return (unsigned __int128)(tsc_read() - origin) * ns_per_tick_32 >> 32;
}

void time_start(void)
{
	origin = tsc_read();
}
