/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Within the link: its two rings, and what its files share. All under link->lock. What the peer writes is
 * hostile: it is read through ikc_ring.h and ikc_link.h alone, each call does a bounded amount of work whatever
 * the peer writes, and nonsense resets the link.
 */
#ifndef LINK_RING_H
#define LINK_RING_H

#include "link.h"

static inline void link_count(u64 *counter, u64 amount)
{
	ikc_store(counter, ikc_load(counter) + amount);
}

static inline bool link_runs(const struct link *link)
{
	return link->ikc.state == IKC_LINK_RUN;
}

void link_ring(struct link *link, enum ikc_vector vector);

/* The peer's ring is broken, or its life is over: this life of the link ends. */
void link_fault(struct link *link, enum ikc_reset_reason reason);

/* Ends this life of the link for a reason of our own. */
void link_give_up(struct link *link);

/* Steps as far as the peer's words allow, and follows what became of it. */
void link_settle(struct link *link);

/* In RUN: looks at what the peer says of channels. */
void link_look_at_channels(struct link *link);

/* The link was reset: its channels are dead. */
void link_end_channels(struct link *link);

/* The link was reset: nobody will answer. */
void link_fail_pings(struct link *link);

/* Tells the peer that nobody listens for this message. */
void link_refuse(struct link *link, const struct parcel *parcel);

/* One message out, and the doorbell if it is due. 0, -EAGAIN: no room, -EMSGSIZE, -ENOTCONN: a fault. */
int link_publish(struct link *link, enum ikc_ring_kind kind, const struct ikc_message *message,
		 const void *payload);

/* Asks the peer to ring when it has taken something; then look again before sleeping. */
void link_wait_for_room(struct link *link, enum ikc_ring_kind kind);

/* Wakes those who wait for room, if there is some. */
void link_wake_waiting(struct link *link, enum ikc_ring_kind kind);

/*
 * Gives up to `most` messages to `take`, in link->buffer, until it returns false. The flag that asks for
 * doorbells is down meanwhile, and up again before the last look; after a false it stays down. Returns
 * true if the ring may hold more that can be taken now.
 */
bool link_drain(struct link *link, enum ikc_ring_kind kind, u32 most,
		bool (*take)(struct link *, const struct ikc_message *));

#endif
