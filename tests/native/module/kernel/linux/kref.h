/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_KREF_H
#define NATIVE_LINUX_KREF_H

#include <linux/kernel.h>

struct kref {
	int count;
};

static inline void kref_init(struct kref *refs)
{
	refs->count = 1;
}

static inline void kref_get(struct kref *refs)
{
	__atomic_add_fetch(&refs->count, 1, __ATOMIC_RELAXED);
}

static inline int kref_put(struct kref *refs, void (*release)(struct kref *refs))
{
	if (__atomic_sub_fetch(&refs->count, 1, __ATOMIC_ACQ_REL))
		return 0;
	release(refs);
	return 1;
}

#endif
