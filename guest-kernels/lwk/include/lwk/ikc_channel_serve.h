/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the channels know of each other: ikc_channel.c (life), ikc_channel_ring.c
 * (messages) and ikc_channel_serve.c (which CPU does it, and the calls to users).
 */
#ifndef LWK_IKC_CHANNEL_SERVE_H
#define LWK_IKC_CHANNEL_SERVE_H

#include <lwk/ikc_channel.h>
#include <lwk/ikc_peer.h>
#include <lwk/types.h>

/* ---- serving ---- */

/* Obeys ikc_map= on the command line, or spreads the channel vectors over the CPUs. */
void channel_vectors_init(void);

unsigned int channel_vector_cpu(uint32_t vector);

/* The handler of a channel vector's doorbell, and its argument. */
void channel_vector_rang(void *arg);
void *channel_vector_argument(uint32_t vector);

/* The CPU that serves it looks at the channel. Any context. */
void channel_look_soon(const struct channel *channel);

/* ---- life: under the peer's lock ---- */

/* What the peer says of its channels. True: ring its control vector. */
bool channels_look(struct ikc_peer *peer);

/* The life of the link is over: all of its channels are lost. */
void channels_lose(struct ikc_peer *peer);

/* A life of the link begins. No channel is used. */
void channels_begin(struct ikc_peer *peer);

/* Nobody there looks any more at what channels that are free now lent in an earlier life. */
void channels_end_loans(struct ikc_peer *peer);

/* ---- life: for who has claimed the channel ---- */

/* Its user is done with it. */
void channel_end(struct channel *channel);

/* It was denied or lost, and its user has been told. */
void channel_free(struct channel *channel);

/* The peer's end of its rings made no sense. Without the channel's lock. */
void channel_fault(struct channel *channel, enum ikc_reset_reason reason);

/* ---- messages ---- */

/* Closed, by whom `flag` says: nothing more is sent. Without the channel's lock. */
void channel_stop(struct channel *channel, bool *flag);

/* Takes back what the peer has taken of our loans. True if who waited for room may go on. */
bool channel_find_room(struct channel *channel);

/* Takes back what the peer has taken of our loans, and asks to be rung when it takes more. */
void channel_recall_loans(struct channel *channel);

static inline enum channel_state channel_state(const struct channel *channel)
{
	return __atomic_load_n(&channel->state, __ATOMIC_ACQUIRE);
}

static inline void channel_set_flag(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

#endif
