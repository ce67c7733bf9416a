/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that wait for a time. The CPU's timer is theirs once processes run. */
#ifndef LWK_SLEEP_H
#define LWK_SLEEP_H

#include <lwk/types.h>

struct thread;

/* A thread in its CPU's list of those who wait for the timer. It lies on the thread's stack. */
struct sleeper {
	struct sleeper *next;
	struct thread *thread;
	uint64_t deadline;
	bool due;
};

/* This thread will be woken at that time (time_ns()), or a little later. */
void sleep_begin(struct sleeper *sleeper, uint64_t deadline);

/* It waits no more. */
void sleep_end(struct sleeper *sleeper);

static inline bool sleep_is_over(const struct sleeper *sleeper)
{
	return __atomic_load_n(&sleeper->due, __ATOMIC_ACQUIRE);
}

/* Returns at that time; or earlier, when a signal is due or the process ends. */
void sleep_until(uint64_t deadline);

#endif
