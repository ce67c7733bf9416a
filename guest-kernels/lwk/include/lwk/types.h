/* SPDX-License-Identifier: Apache-2.0 */
/* Words that every file of the kernel may use. */
#ifndef LWK_TYPES_H
#define LWK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A physical address; never dereferenced, see phys_to_virt() in lwk/paging.h. */
typedef uint64_t paddr_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE (1ul << PAGE_SHIFT)
#define CACHE_LINE 64

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* `to` is a power of two. */
#define ALIGN_DOWN(value, to) ((value) & ~((__typeof__(value))(to) - 1))
#define ALIGN_UP(value, to) ALIGN_DOWN((value) + (__typeof__(value))(to) - 1, to)

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a = (a);                                                         \
		__typeof__(b) min_b = (b);                                                         \
		min_a < min_b ? min_a : min_b;                                                     \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a = (a);                                                         \
		__typeof__(b) max_b = (b);                                                         \
		max_a > max_b ? max_a : max_b;                                                     \
	})

/* What each call to the proxy passes through: side by side, so that it lies in few pages. */
#define HOT __attribute__((__hot__))
/* ... and what one of those seldom needs lies elsewhere. */
#define SELDOM __attribute__((__noinline__, __cold__))

#define PRINTF_LIKE(string, first) __attribute__((__format__(printf, string, first)))

#endif
