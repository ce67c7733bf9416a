/* SPDX-License-Identifier: GPL-2.0-only */
/* Endpoints: ports of this partition, each with the messages that wait for its program. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "ikc_layout.h"

/*
 * Bytes that wait at one endpoint from one partition before its ring is stopped. Per partition, so
 * that no peer can stop the rings of the others by flooding an endpoint that does not read.
 */
#define ENDPOINT_QUEUE_MAX (256 * 1024)

/* A message on its way from a ring to a program. */
struct parcel {
	struct list_head list;
	u32 partition;
	u32 length;
	u16 to_port;
	u16 from_port;
	u8 data[];
};

struct endpoints {
	spinlock_t lock; /* of the table, and of everything in every endpoint */
	DECLARE_HASHTABLE(by_port, 8);
	u16 last_ephemeral;
};

struct endpoint {
	struct endpoints *all;
	wait_queue_head_t changed;

	struct hlist_node node; /* in by_port, if port is not 0 */
	u16 port;
	bool connected;
	bool refused; /* ECONNREFUSED is due */
	u16 peer_port;
	u32 peer;
	u64 spoken_with; /* partitions whose reset it wants to hear of; a bit each */
	u64 was_reset;	 /* ENETRESET is due for these */
	struct list_head parcels;
	u32 queued[IKC_PARTITIONS_MAX]; /* bytes */
};

void endpoints_init(struct endpoints *all);
void endpoint_init(struct endpoint *endpoint, struct endpoints *all);

/* Frees its port and what waits there. */
void endpoint_destroy(struct endpoint *endpoint);

/* Port 0: any. 0, -EADDRINUSE, or -EINVAL if it has a port. */
int endpoint_bind(struct endpoint *endpoint, u16 port);

/* 0, -EISCONN or -EADDRINUSE. */
int endpoint_connect(struct endpoint *endpoint, u32 peer, u16 peer_port);

/* If so, *peer is the partition. */
bool endpoint_is_connected(struct endpoint *endpoint, u32 *peer);

/*
 * Before a message is sent to that address: 0, an error that is due (-ENETRESET, -ECONNREFUSED),
 * -EISCONN, or -EADDRINUSE. Binds the endpoint if need be and notes that it speaks with `peer`.
 */
int endpoint_prepare_send(struct endpoint *endpoint, u32 peer, u16 peer_port);

/* Is there something for endpoint_take: a message or an error? */
bool endpoint_has_news(struct endpoint *endpoint);
bool endpoint_has_error(struct endpoint *endpoint);

/*
 * Takes the oldest message of at most `room` bytes into *parcel; the caller frees it. -EAGAIN: none;
 * -EMSGSIZE: *length tells what it needs; -ENETRESET: *reset_by tells whose link; -ECONNREFUSED;
 * -EINVAL: no port.
 */
int endpoint_take(struct endpoint *endpoint, u32 room, struct parcel **parcel, u32 *length, u32 *reset_by);

/* From a ring to its endpoint, which then owns it: 0, -EAGAIN (no room), -ECONNREFUSED (nobody there). */
int endpoints_deliver(struct endpoints *all, struct parcel *parcel);

/* The link to this partition was reset. */
void endpoints_tell_reset(struct endpoints *all, u32 partition);

/* `partition` says that nobody listens on its port `peer_port`, to which our `port` sent. */
void endpoints_tell_refused(struct endpoints *all, u32 partition, u16 peer_port, u16 port);

/* Wakes every program that waits at an endpoint. */
void endpoints_wake(struct endpoints *all);

#endif
