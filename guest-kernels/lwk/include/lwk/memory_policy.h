/* SPDX-License-Identifier: Apache-2.0 */
/* From which NUMA nodes a program's memory comes, as set_mempolicy(2) has it; nodes as this partition counts them. */
#ifndef LWK_MEMORY_POLICY_H
#define LWK_MEMORY_POLICY_H

#include <lwk/types.h>

enum memory_mode {
	MEMORY_DEFAULT = 0, /* that of the CPU that asks, then the nearest */
	MEMORY_PREFERRED = 1, /* the first of `nodes`, then the nearest */
	MEMORY_BIND = 2, /* of `nodes` alone */
	MEMORY_INTERLEAVE = 3, /* each page from the next of `nodes` */
	MEMORY_LOCAL = 4,
	MEMORY_PREFERRED_MANY = 5, /* `nodes`, then the nearest */
};

struct memory_policy {
	uint32_t mode; /* enum memory_mode */
	uint32_t turn; /* of INTERLEAVE: pages given out */
	uint64_t nodes; /* a bit each */
};

/* Whether it is one: a mode that is known, with nodes that are there, if it needs any. */
bool memory_policy_is_valid(const struct memory_policy *policy);

static inline bool memory_policies_are_equal(const struct memory_policy *a, const struct memory_policy *b)
{
	return a->mode == b->mode && a->nodes == b->nodes;
}

/* A block of zeroes, of at most this order, which is then its order. 0: there is none that the policy allows. */
paddr_t memory_policy_alloc(struct memory_policy *policy, unsigned int *order);

#endif
