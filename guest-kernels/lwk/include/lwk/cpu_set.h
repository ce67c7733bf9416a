/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs, a bit each, as sched_setaffinity(2) has them. */
#ifndef LWK_CPU_SET_H
#define LWK_CPU_SET_H

#include <lwk/cpu.h>
#include <lwk/types.h>

struct cpu_set {
	uint64_t words[MAX_CPUS / 64];
};

static inline bool cpu_set_has(const struct cpu_set *set, unsigned int id)
{
	return set->words[id / 64] >> id % 64 & 1;
}

static inline void cpu_set_add(struct cpu_set *set, unsigned int id)
{
	set->words[id / 64] |= 1ul << id % 64;
}

/* Whether any CPU in it is there and runs. */
static inline bool cpu_set_is_useful(const struct cpu_set *set)
{
	for (unsigned int id = 0; id < cpu_count; id++)
		if (cpu_set_has(set, id) && cpus[id]->online)
			return true;
	return false;
}

#endif
