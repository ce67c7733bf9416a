/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers that take the messages of one channel by turns: who has taken one may be away for long, or back in no time
 * at all. Who is free looks at the ring for a while, one at a time, and sleeps then. While nobody looks a watch does, so that
 * a message waits for no worker that is away.
 */
#ifndef CHANNEL_TURN_H
#define CHANNEL_TURN_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>

#include "channel.h"

struct channel_turns {
	struct channel *channel;
	u64 spin_ns; /* that a worker looks before it sleeps */
	atomic_t looks;	  /* 1: a worker does, and nobody need ring */
	atomic_t taken;	  /* counts turns that have ended */
	atomic_t watched; /* 1: `watch` will look */
	u32 seen;	  /* what `taken` was when the watch began */
	struct hrtimer watch;
};

void channel_turns_init(struct channel_turns *turns, struct channel *channel);

/* Nobody has a turn any more. */
void channel_turns_end(struct channel_turns *turns);

/*
 * Looks, if the worker `looks`, and waits until `attempt` does not give -EAGAIN, as waiting_for() does: it takes a message, or asks to be rung for one.
 * Returns what it gave, or -ERESTARTSYS.
 */
int channel_turns_take(struct channel_turns *turns, bool looks, int (*attempt)(void *), void *context);

#endif
