/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads and stores of words that another kernel reads or writes at the same time.
 * Built unchanged in the LWK, in Linux, in tools and in the native tests.
 *
 * Only naturally aligned words of 1, 2, 4 or 8 bytes are ever passed: a misaligned or wider access is
 * not atomic between two QEMU processes under TCG.
 */
#ifndef IKC_ATOMIC_H
#define IKC_ATOMIC_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
#endif

/* One untorn read of a word whose order does not matter; the compiler may not read it twice. */
#define ikc_load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define ikc_store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

/* Publish and consume: what was written before the store is seen after the load. */
#define ikc_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define ikc_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

/*
 * Sleep and wake (docs/ikc-protocol.md, "Sleeping"): the sleeper stores its flag and then looks at
 * the ring; the waker stores to the ring and then looks at the flag. All four are sequentially
 * consistent, so that at least one of the two sees the other.
 *
 * Such a store is a plain one and a fence, not an exchange: the word is seen before the fence is waited for,
 * and under TCG an exchange is a call into QEMU, made before anybody sees the word.
 */
#define ikc_load_ordered(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ikc_store_ordered(p, v)                               \
	do {                                                  \
		__atomic_store_n((p), (v), __ATOMIC_RELEASE); \
		__asm__ volatile("mfence" : : : "memory");    \
	} while (0)

#endif
