/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This partition in the IKC region: what was read once and checked, so that nobody reads it there
 * again.
 */
#ifndef LWK_IKC_LOCAL_H
#define LWK_IKC_LOCAL_H

#include <ikc/ikc_atomic.h>
#include <ikc/ikc_layout.h>
#include <lwk/types.h>

struct ikc_local {
	struct ikc_partition *partition; /* NULL: there is no region, and nothing else is valid */
	struct ikc_map map;
	uint32_t id;
	uint32_t incarnation;
};

extern struct ikc_local ikc_local;

/* One of our own counters in the region. */
static inline void ikc_count(uint64_t *counter, uint64_t more)
{
	ikc_store(counter, ikc_load(counter) + more);
}

#endif
