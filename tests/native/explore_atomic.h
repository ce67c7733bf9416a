/* SPDX-License-Identifier: Apache-2.0 */
/* In place of ikc_atomic.h: every access to a shared word is a step of the explorer. */
#ifndef IKC_ATOMIC_H
#define IKC_ATOMIC_H

#include "explore.h"

#define explore_loaded(p, order)                                                  \
	({                                                                        \
		__typeof__(*(p)) value_ = explore_load((p), sizeof(*(p)), order); \
		value_;                                                           \
	})

#define ikc_load(p) explore_loaded(p, EXPLORE_RELAXED)
/* No later load overtakes an earlier one here. */
#define ikc_load_acquire(p) explore_loaded(p, EXPLORE_RELAXED)
#define ikc_load_ordered(p) explore_loaded(p, EXPLORE_ORDERED)
#define ikc_store(p, v) explore_store((p), sizeof(*(p)), (v), EXPLORE_RELAXED)
#define ikc_store_release(p, v) explore_store((p), sizeof(*(p)), (v), EXPLORE_RELEASE)
#define ikc_store_ordered(p, v) explore_store((p), sizeof(*(p)), (v), EXPLORE_ORDERED)

#define __builtin_memcpy(to, from, size) explore_copy((to), (from), (size))

#endif
