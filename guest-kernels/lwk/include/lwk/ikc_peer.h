/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to one other partition, and the services that share it: ikc_link.c (life), ikc_data.c
 * (messages of the data ring) and ikc_channel.c.
 */
#ifndef LWK_IKC_PEER_H
#define LWK_IKC_PEER_H

#include <ikc/ikc_link.h>
#include <lwk/ikc_channel.h>
#include <lwk/spinlock.h>
#include <lwk/types.h>

struct ikc_peer {
	uint32_t id;
	char name[IKC_NAME_SIZE];

	struct spinlock lock;

	/* under `lock` */
	struct ikc_link link;
	uint32_t served; /* the generation that the listeners know to be up; 0: none */
	bool receiver_waits; /* our flags in the data cursor, as we left them */
	bool sender_waits;
	uint32_t room_wanted; /* slots: the least that somebody waits for */
	uint64_t log_window; /* when the present second of logging began */
	uint32_t log_lines; /* in it, also those not shown */
	uint8_t control[IKC_CONTROL_SLOTS * IKC_SLOT_DATA];
	struct ikc_channels channels; /* of a life that is served */
	uint32_t channels_used; /* those of `ends` that are not free, a bit each; read without the lock */

	/* CPU 0's work alone */
	bool holds; /* the listener could not take `message` yet */
	struct ikc_message message;
	uint8_t payload[IKC_MESSAGE_MAX];

	struct channel ends[IKC_CHANNELS];
};

/* NULL for this partition itself, and beyond the last. Constant after ikc_links_init(). */
extern struct ikc_peer *ikc_peers[IKC_PARTITIONS_MAX];

#define for_each_ikc_peer(peer)                                                                    \
	for (unsigned int peer##_id = 0; peer##_id < IKC_PARTITIONS_MAX; peer##_id++)              \
		for (struct ikc_peer *peer = ikc_peers[peer##_id]; peer; peer = NULL)

/* NULL if there is no such peer. */
static inline struct ikc_peer *ikc_peer_find(uint32_t id)
{
	return id < IKC_PARTITIONS_MAX ? ikc_peers[id] : NULL;
}

/* The listeners know of this very life of the link. Under the lock. */
static inline bool ikc_peer_is_served(const struct ikc_peer *peer)
{
	return peer->link.state == IKC_LINK_RUN && peer->served == peer->link.generation;
}

/* Begins a life of every link; 0 or -ENOMEM. */
int ikc_links_init(void);

/* Rings every peer's control vector: a life began or ended. Any context. */
void ikc_links_ring(void);

/* Looks at every peer's life and control ring. CPU 0, any context. */
void ikc_links_look(void);

/*
 * A ring to or from the peer made no sense: gives up this life of the link. In RUN, under the lock.
 */
void ikc_peer_fault(struct ikc_peer *peer, enum ikc_reset_reason reason);

/* Looks at every peer in CPU 0's work. Any context. */
void ikc_links_look_soon(void);

/*
 * Sends on the control ring, or drops it when that is full. Under the lock; true if the peer is to
 * be rung.
 */
bool ikc_peer_send_control(struct ikc_peer *peer, enum ikc_control type, const void *payload,
			   uint32_t length);

/* Ends what spin_lock(&peer->lock) began; then rings the peer, if `ring`. */
void ikc_peer_unlock(struct ikc_peer *peer, uint64_t flags, bool ring, enum ikc_vector vector);

/*
 * True while the peer has not used up its lines of this second; writes what was left out of the
 * last one.
 */
bool ikc_peer_may_log(struct ikc_peer *peer);

/* Starts the work that moves messages. Any context. */
void ikc_data_look_soon(void);

#endif
