/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers that take the messages of one channel by turns: who has taken one may be away for long, or back in no time
 * at all. Who is free looks at the ring for a while, one at a time, and sleeps then. While nobody looks a watch does, so that
 * a message waits for no worker that is away.
 */
#ifndef CHANNEL_TURN_H
#define CHANNEL_TURN_H

#include <linux/atomic.h>
#include <linux/timer.h>

#include "channel.h"
#include "ikc_uapi.h"

struct channel_turns {
	struct channel *channel;
	const bool *stopping; /* everything that waits returns -ENODEV */
	u64 spin_ns; /* that a worker looks before it sleeps */
	atomic_t looks;	  /* 1: a worker does, and nobody need ring */
	atomic_t watched; /* 1: `watch` will look */
	bool owes;	  /* an answer went to somebody who comes by: he is to be rung if it takes him long */
	bool asks;	  /* the next worker that finds nothing shall ask to be rung */
	u64 seen;	  /* how many messages had been taken when the watch last looked */
	u64 signals;	  /* that end a turn although they are blocked: a bit each */
	struct timer_list watch;
};

void channel_turns_init(struct channel_turns *turns, struct channel *channel, const bool *stopping);

/* Nobody has a turn any more. */
void channel_turns_end(struct channel_turns *turns);

/* IKC_IOCTL_TURN; -EAGAIN if it shall not `wait`. */
long channel_turns_turn(struct channel_turns *turns, struct ikc_turn __user *turn, bool wait);

/* IKC_IOCTL_SIGNALS */
long channel_turns_await_signals(struct channel_turns *turns, const u64 __user *argument);

/* IKC_IOCTL_STOP */
long channel_turns_stop(const struct channel_turns *turns);

#endif
