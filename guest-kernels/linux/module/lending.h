/* SPDX-License-Identifier: GPL-2.0-only */
/* This partition's pool, of which all its channels lend payloads. */
#ifndef LENDING_H
#define LENDING_H

#include <linux/spinlock.h>

#include "ikc_pool.h"

struct lending {
	spinlock_t lock;
	struct ikc_pool pool;
	u8 *bytes; /* IKC_POOL_SIZE of them, in the region */
};

static inline void lending_init(struct lending *lending, u8 *bytes)
{
	spin_lock_init(&lending->lock);
	lending->bytes = bytes;
}

/* Pages for a payload of `length` bytes: the first, or -EAGAIN, none are free in a row now. */
static inline int lending_take(struct lending *lending, u32 length)
{
	int first;

	spin_lock(&lending->lock);
	first = ikc_pool_take(&lending->pool, ikc_pool_pages_for(length));
	spin_unlock(&lending->lock);
	return first == IKC_FULL ? -EAGAIN : first;
}

static inline void lending_give(struct lending *lending, u32 first, u32 length)
{
	spin_lock(&lending->lock);
	ikc_pool_give(&lending->pool, first, ikc_pool_pages_for(length));
	spin_unlock(&lending->lock);
}

/* What the peer has taken of a channel is ours again. IKC_OK or IKC_BAD_TAIL. */
static inline int lending_reap(struct lending *lending, struct ikc_loans *loans, const struct ikc_sender *sender)
{
	int result;

	spin_lock(&lending->lock);
	result = ikc_loans_reap(loans, &lending->pool, sender);
	spin_unlock(&lending->lock);
	return result;
}

static inline void lending_end(struct lending *lending, struct ikc_loans *loans, const struct ikc_sender *sender)
{
	spin_lock(&lending->lock);
	ikc_loans_end(loans, &lending->pool, sender);
	spin_unlock(&lending->lock);
}

#endif
