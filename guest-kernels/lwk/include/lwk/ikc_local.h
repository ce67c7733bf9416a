/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This partition in the IKC region: what was read once and checked, so that nobody reads it there
 * again.
 */
#ifndef LWK_IKC_LOCAL_H
#define LWK_IKC_LOCAL_H

#include <ikc/ikc_layout.h>
#include <lwk/types.h>

struct ikc_local {
	const struct ikc_region *region; /* NULL: there is none, and nothing below is valid */
	struct ikc_partition *partition;
	uint32_t id;
	uint32_t partition_count;
	uint32_t monitor_id;
	uint32_t incarnation;
};

extern struct ikc_local ikc_local;

#endif
