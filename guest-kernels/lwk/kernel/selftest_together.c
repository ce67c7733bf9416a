/* SPDX-License-Identifier: Apache-2.0 */
/* Makes all CPUs do the same thing at the same time, for long enough that they really meet. */
#include <lwk/cpu.h>
#include <lwk/selftest.h>
#include <lwk/time.h>
#include <lwk/xcall.h>

#define DURATION (100 * NS_PER_MS) /* many time slices of a host that has fewer CPUs */

struct together {
	void (*round)(void *arg);
	void *arg;
	uint32_t arrived;
};

static uint64_t rounds[MAX_CPUS]; /* each its own: atomics may be what is being tested */

static void repeat(void *arg)
{
	struct together *together = arg;
	uint64_t deadline, *mine = &rounds[this_cpu()->id];

	__atomic_add_fetch(&together->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&together->arrived, __ATOMIC_ACQUIRE) < cpu_online_count())
		cpu_relax();
	deadline = deadline_after(DURATION);
	for (*mine = 0; !deadline_passed(deadline); ++*mine)
		together->round(together->arg);
}

uint64_t selftest_together(void (*round)(void *arg), void *arg)
{
	struct together together = { round, arg, 0 };
	uint64_t sum = 0;

	xcall_all(repeat, &together);
	for (unsigned int id = 0; id < cpu_count; id++)
		sum += rounds[id];
	return sum;
}
