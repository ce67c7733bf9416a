/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of ikc_atomic.h: the peer gets a turn after every single load. Code that loads a word
 * twice, or uses one before it has checked it, meets two different values here without any luck.
 */
#ifndef IKC_ATOMIC_H
#define IKC_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The peer may change anything it can write; `word` is what was just loaded. */
void peer_moves(const void *word, size_t size);

#define hostile_load(p)                                                           \
	({                                                                        \
		__typeof__(*(p)) value_ = __atomic_load_n((p), __ATOMIC_RELAXED); \
		peer_moves((p), sizeof(*(p)));                                    \
		value_;                                                           \
	})

#define ikc_load(p) hostile_load(p)
#define ikc_load_acquire(p) hostile_load(p)
#define ikc_load_ordered(p) hostile_load(p)
#define ikc_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define ikc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define ikc_store_ordered(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

#endif
