/* SPDX-License-Identifier: GPL-2.0-only */
/* This end of the link to one other partition: its life, its control messages, its data messages. */
#ifndef LINK_H
#define LINK_H

#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "channel.h"
#include "endpoint.h"
#include "ikc_channel.h"
#include "lending.h"
#include "listener.h"
#include "region.h"
#include "trace.h"
#include "vectors.h"

/* What serves the links of a region: link_serve_control and link_serve_data of each. */
struct link_works {
	struct work_struct control;
	struct work_struct data;
};

/* What all links of a region share. */
struct link_shared {
	const struct region *region;
	struct endpoints endpoints;
	struct listeners listeners;
	struct lending lending;
	struct trace trace;
	struct vectors vectors;
	struct link_works works;
};

struct link {
	const struct region *region;
	struct endpoints *endpoints;
	struct listeners *listeners;
	struct lending *lending;
	struct trace *trace;
	struct vectors *vectors;
	struct link_works *works;
	wait_queue_head_t writable; /* room in either ring; the link came up, or went down */

	struct mutex lock; /* of all below */
	struct ikc_link ikc;
	char name[IKC_NAME_SIZE];
	bool stopped;		 /* for good: the driver goes away */
	bool waits[IKC_RINGS];	 /* for room: as told to the peer */
	struct parcel *held;	 /* taken from the ring; its endpoint has no room */
	struct list_head pings;	 /* that wait for their answer */
	u64 next_ping;
	u8 buffer[IKC_MESSAGE_MAX];
	struct ikc_channels channels;
	struct channel *opened[IKC_CHANNELS]; /* by index; NULL: free, or refused */
};

/* Control goes first; data gets the share of any other thread, however much of it a peer sends. */
static inline void link_schedule_control(struct link_works *works)
{
	queue_work(system_highpri_wq, &works->control);
}

static inline void link_schedule_data(struct link_works *works)
{
	queue_work(system_wq, &works->data);
}

void link_init(struct link *link, struct link_shared *shared, u32 peer);

/* Wakes every program that waits at it or at one of its channels. */
void link_wake(struct link *link);

/* Resets this end for good and tells the peer. */
void link_stop(struct link *link);

/*
 * Looks at the peer's life and at its control messages. Returns true if there is more to do, now: call
 * again, after others had their turn.
 */
bool link_serve_control(struct link *link);

/* Moves messages to their endpoints, a bounded number. Returns true if there is more to do, now. */
bool link_serve_data(struct link *link);

/* After an endpoint was read or closed: goes on with the message that waits for room there, if any. */
void link_resume(struct link *link);

/*
 * Sends one message. -ENOTCONN, -EMSGSIZE, or -EAGAIN: then `writable` is woken when there is room, or the
 * state changed.
 */
int link_send(struct link *link, const struct ikc_message *message, const void *payload);

/* Is a message of any size sure to find room? If not, `writable` is woken when to look again. */
bool link_has_room(struct link *link);

/* PING and PONG; sleeps. 0 or the errors of IKC_IOCTL_PING. */
int link_ping(struct link *link, u32 timeout_ms, u64 *round_trip_ns);

/* ---- channels ---- */

/*
 * Asks the peer for one; `readable` is woken when its answer is there. -ENOTCONN: the link is not in RUN;
 * -EBUSY: all that we may open are in use; -ENOMEM.
 */
int link_open_channel(struct link *link, const struct ikc_terms *terms, struct channel **channel);

/*
 * For who waits for a channel to open: a number that changes when the peer has said anything about any, and then a look at
 * that, as a doorbell would have it done.
 */
u32 link_channel_news(const struct link *link);
void link_look_for_news(struct link *link);

/* The program has done with it; its reference is given back. */
void link_close_channel(struct channel *channel);

/* channel_reap of all its channels. */
void link_reap(struct link *link);

/* vectors_serve_on, or -ENETRESET. */
int link_serve_channel_on(struct channel *channel, u32 cpu);

/* The peer's words about a channel of this life make no sense: the link is reset. */
void link_channel_fault(struct link *link, const struct channel *channel, enum ikc_reset_reason reason);

#endif
