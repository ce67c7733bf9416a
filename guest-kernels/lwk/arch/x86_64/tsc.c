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
#define CALIBRATION_TSC_MAX (1ull << 32) /* 4.3 s at 1 GHz, and the PM timer counts 4.6 before it begins anew */
#define CALIBRATION_TRIES 4

struct reading {
	uint64_t tsc;
	uint32_t ticks; /* of the PM timer */
};

static const char *source; /* of the frequency */
static struct reading measured_from; /* where it is measured by the PM timer */
static uint64_t frequency;
struct time_base time_base;

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

/* Both clocks at once; of several tries the one least disturbed by the host. */
static struct reading read_clocks(void)
{
	uint64_t best = UINT64_MAX;
	struct reading reading = { 0 };

	for (int i = 0; i < 5; i++) {
		uint64_t before = tsc_read();
		uint32_t now = in32(platform.pm_timer_port) & PM_TIMER_MASK;
		uint64_t after = tsc_read();

		if (after - before < best) {
			best = after - before;
			reading = (struct reading){ before + best / 2, now };
		}
	}
	return reading;
}

/* A VM may have been stopped meanwhile, for longer than the PM timer takes to begin anew: then it is measured again. */
static uint64_t frequency_by_pm_timer(struct reading start)
{
	for (int tries = 0; tries < CALIBRATION_TRIES;) {
		struct reading now = read_clocks();
		uint32_t ticks = (now.ticks - start.ticks) & PM_TIMER_MASK;

		if (now.tsc - start.tsc > CALIBRATION_TSC_MAX) {
			start = now;
			tries++;
		} else if (ticks >= CALIBRATION_TICKS) {
			return (now.tsc - start.tsc) * PM_TIMER_HZ / ticks;
		}
	}
	panic("the PM timer at port 0x%x stands still", platform.pm_timer_port);
}

void time_init(void)
{
	source = "CPUID leaf 0x15";
	frequency = frequency_from_crystal();
	if (!frequency) {
		source = "CPUID leaf 0x40000010";
		frequency = frequency_from_hypervisor();
	}
	if (!frequency) {
		source = "PM timer";
		if (!platform.pm_timer_port)
			panic("no frequency of the TSC in CPUID, and no PM timer to measure it by");
		measured_from = read_clocks();
	}
}

void time_run(void)
{
	if (!frequency)
		frequency = frequency_by_pm_timer(measured_from);
	time_base.ns_per_tick_32 = (NS_PER_S << 32) / frequency;
	log_info("time: TSC %lu.%03lu MHz, by %s", (frequency / 1000000),
		 (frequency / 1000 % 1000), source);
	/* A virtual machine's TSC begins at 0: till the first instruction here, all was firmware. */
	log_info("time: firmware took %lu us",
		 time_base_ns(time_base.origin) / 1000);
}

uint64_t time_tsc_hz(void)
{
	return frequency;
}

void time_start(void)
{
	time_base.origin = tsc_read();
}
