/* SPDX-License-Identifier: Apache-2.0 */
/* Time since boot, from the time-stamp counter. */
#ifndef LWK_TIME_H
#define LWK_TIME_H

#include <arch/cpu.h>
#include <lwk/types.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* Makes now time 0. */
void time_start(void);

/* Learns the counter's frequency, or begins to measure it. */
void time_init(void);

/* What takes a few milliseconds to measure has been measured meanwhile, or is now. Before it, time stands at 0. */
void time_run(void);

/* For time_ns(), which lies in line. */
extern struct time_base {
	uint64_t origin; /* ticks */
	uint64_t ns_per_tick_32; /* with 32 bits behind the point */
} time_base;

static inline uint64_t time_base_ns(uint64_t ticks)
{
	return (unsigned __int128)ticks * time_base.ns_per_tick_32 >> 32;
}

/*
 * Nanoseconds since time 0 (the first instruction of C); the same on every CPU. In a VM without
 * hardware support (TCG) a reading takes a lock that all CPUs share: one may poll it, not all at
 * once.
 */
static inline uint64_t time_ns(void)
{
	return time_base_ns(tsc_read() - time_base.origin);
}

/* Ticks of the time-stamp counter a second; 0 before time_run(). */
uint64_t time_tsc_hz(void);

/* A moment in the future, for loops that must end. */
static inline uint64_t deadline_after(uint64_t ns)
{
	return time_ns() + ns;
}

static inline bool deadline_passed(uint64_t deadline)
{
	return time_ns() >= deadline;
}

#endif
