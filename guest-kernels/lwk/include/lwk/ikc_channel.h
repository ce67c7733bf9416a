/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: pairs of rings that two services have for themselves (docs/ikc-protocol.md, "Channels").
 *
 * What happens on a channel is told to its user by calls, in the work of the CPU that serves it,
 * interrupts on, one at a time for each channel; the user may send, close and open in them. For a while
 * he may also take it over, and then polls it from a CPU that he likes.
 */
#ifndef LWK_IKC_CHANNEL_H
#define LWK_IKC_CHANNEL_H

#include <ikc/ikc_channel.h>
#include <ikc/ikc_pool.h>
#include <lwk/errno.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_trace.h>
#include <lwk/spinlock.h>
#include <lwk/types.h>

#define CHANNEL_USER_SIZE 64

struct ikc_peer;
struct channel;

/* Lies in a private copy or, if it was lent, where the peer can still change it: copy, check, use. */
struct channel_message {
	const uint8_t *payload;
	uint32_t length;
	bool lent;
	struct ikc_message taken; /* these two: as it stands in the ring */
	const uint8_t *copy;
};

struct channel_calls {
	/* From now on both may send. */
	void (*opened)(struct channel *channel);

	/*
	 * What was opened here did not come to be; there is no channel any more, only the `owner`.
	 * The reason is the peer's word; IKC_REFUSAL_NONE: the link went down. May be NULL.
	 */
	void (*denied)(void *owner, uint32_t refusal);

	/*
	 * 0: done with it, and it is the peer's again. -EAGAIN, after a send gave that: keep it, and
	 * give it to me again when there is room.
	 */
	int (*message)(struct channel *channel, const struct channel_message *message);

	/* There is room, after a send gave -EAGAIN; or channel_call_again() asked for it. May be NULL. */
	void (*writable)(struct channel *channel);

	/*
	 * The peer closed it, and this is all that came, or the link went down. The channel is closed
	 * when this returns. Not told to who closed it himself. May be NULL.
	 */
	void (*ended)(struct channel *channel);
};

enum channel_state {
	CHANNEL_FREE,
	CHANNEL_ASKING, /* for it; the peer has not answered */
	CHANNEL_ACCEPTED, /* here; the peer has not seen it */
	CHANNEL_OPEN,
	CHANNEL_DENIED, /* and its user has not been told */
	CHANNEL_CLOSED, /* here; the peer has not seen it, and may look at what we lent */
	CHANNEL_LOST, /* with its link, and its user has not been told */
};

/* Our end. It is its user's from `opened` or channel_open() until he closes it or is told of its end. */
struct channel {
	struct ikc_peer *peer;
	uint32_t peer_id;
	uint32_t index;
	struct ikc_channel *words; /* what this end says of it in the region */
	const struct channel_calls *calls;
	void *owner; /* as given to channel_open(); or the listener's */
	uint32_t packet_size;

	/* changes under the peer's lock; to and from OPEN also under `lock` */
	enum channel_state state;
	uint32_t vector; /* of enum ikc_vector: which of our CPUs serves it */
	uint32_t refusal;

	/* set by anybody, and stays */
	bool closing;
	bool peer_closed;

	/* set by anybody, cleared by who serves */
	bool call_again;
	bool waits_for_pool;

	bool attended; /* its user says whether the peer is to ring */

	/* of one CPU at a time, which serves it, or whose user has taken it over */
	_Alignas(CACHE_LINE) bool claimed;
	bool missed; /* somebody else wanted to look meanwhile */
	bool told; /* opened() was called */
	bool holds; /* the user could not take the next message yet */
	struct ikc_receiver receiver;

	/* under `lock`, which nobody holds for long; who has taken it over needs none */
	_Alignas(CACHE_LINE) struct spinlock lock;
	bool taken_over;
	bool quick; /* taken over and open, and nothing is to be looked after but the next message */
	bool lends; /* `loans` has something, and every send begins with a look at what was taken */
	bool sender_waits; /* our flag, as we left it */
	uint32_t room_wanted; /* slots: the least that was asked for */
	struct ikc_sender sender;
	struct ikc_loans loans;

	/* the user's own; zero when the channel is new */
	_Alignas(CACHE_LINE) uint8_t user[CHANNEL_USER_SIZE];
};

/* What is accepted when a peer asks for it. */
struct channel_listener {
	uint16_t port;
	uint32_t magic;
	uint32_t packet_size;
	const struct channel_calls *calls;
	void *owner;
	struct channel_listener *next;
};

/* Before ikc_start(). -EEXIST: the port is taken. */
int channel_listen(struct channel_listener *listener);

/*
 * Asks a peer for a channel; opened() or denied() comes. Any context but NMI. -ENXIO (no such peer),
 * -ENOTCONN (the link is not up), -EAGAIN (none is free now).
 */
int channel_open(uint32_t peer_id, const struct ikc_terms *terms, const struct channel_calls *calls,
		 void *owner, struct channel **channel);

/* No send and no call comes after this, but for one that has begun on another CPU. Any context but NMI. */
void channel_close(struct channel *channel);

/*
 * From now on this CPU serves the channel: the peer rings the vector that goes there. -EINVAL: none
 * does. Any context but NMI.
 */
int channel_serve_on(struct channel *channel, unsigned int cpu_id);

/*
 * From now on the user says when the peer is to ring at once: while he is not `awake`. While he is, he comes by and looks. Until the
 * channel ends; his calls of this exclude each other. Any context but NMI.
 */
void channel_attend(struct channel *channel, bool awake);

/*
 * Looks, for a moment, and calls the channel's user for what has come (`buffer`: IKC_MESSAGE_MAX bytes). From any CPU, and several can at
 * once. The channel may end meanwhile, and be another's: he is served then.
 */
void channel_look(struct channel *channel, uint8_t *buffer);

/* Rings if the peer has not taken all that was sent: it may have said that it looks, and be kept from that. */
void channel_urge(struct channel *channel);

/* Asks for a call of writable(), when others had their turn. */
void channel_call_again(struct channel *channel);

/* What channel_send() would say now to a message of this length, without sending it. */
int channel_wait_for_room(struct channel *channel, uint32_t length);

/*
 * Sends `length` bytes that lie in the pool from page `first` on (lwk/ikc_pool.h); they are the
 * channel's then. Otherwise, with the errors of channel_send(), they are still the caller's.
 */
int channel_lend(struct channel *channel, uint32_t first, uint32_t length);

/* Copies the payload into the pool and lends it. -EAGAIN also when the pool has no room. */
int channel_send_lent(struct channel *channel, const void *payload, uint32_t length);

/*
 * Takes the channel over: until it is given back there are no calls, nobody else may send, and what
 * there is to tell waits. From work, but not in one of the channel's own calls.
 */
void channel_take_over(struct channel *channel);
void channel_give_back(struct channel *channel);

/* For who has taken it over: whether the peer rings for each message. */
void channel_be_rung(struct channel *channel, bool rung);

/* ---- the short way: inline, because a message costs little more than what is saved by that ---- */

int channel_send_slowly(struct channel *channel, const void *payload, uint32_t length);
int channel_peek_slowly(struct channel *channel, struct channel_message *message, uint8_t *buffer);
void channel_ring(struct channel *channel);

static inline bool channel_flag(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline void channel_record(const struct channel *channel, enum ikc_trace_direction direction,
				  const struct ikc_message *message, const void *payload)
{
	ikc_trace(channel->peer_id, channel->sender.generation, IKC_TRACE_CHANNEL(channel->index),
		  direction, message, payload);
}

/*
 * Sends one message; never blocks. Any context but NMI, any CPU. 0; -ENOTCONN (not open, or the peer
 * closed it), -EMSGSIZE, -EAGAIN (no room now: writable() comes when there is).
 */
IKC_SHORT int channel_send(struct channel *channel, const void *payload, uint32_t length)
{
	struct ikc_message message = { .length = length, .to_port = IKC_PACKET_COPIED };

	if (length > channel->packet_size)
		return -EMSGSIZE;
	if (!channel_flag(&channel->quick) || ikc_send(&channel->sender, &message, payload) != IKC_OK)
		return channel_send_slowly(channel, payload, length);
	ikc_count(&channel->words->sent, 1);
	channel_record(channel, IKC_TRACE_SENT, &message, payload);
	if (ikc_receiver_sleeps(&channel->sender))
		channel_ring(channel);
	return 0;
}

/*
 * For who has taken it over. Looks at the next message, copied to `buffer` (IKC_MESSAGE_MAX bytes) if it
 * was not lent; it stays until it is taken. -EAGAIN: there is none. -ENOTCONN: and there will be none.
 */
IKC_SHORT int channel_peek(struct channel *channel, struct channel_message *message, uint8_t *buffer)
{
	int result = ikc_peek(&channel->receiver, &message->taken, buffer, IKC_MESSAGE_MAX);

	if (result == IKC_EMPTY && channel_flag(&channel->quick))
		return -EAGAIN;
	if (result != IKC_OK || message->taken.to_port != IKC_PACKET_COPIED ||
	    message->taken.length > channel->packet_size)
		return channel_peek_slowly(channel, message, buffer);
	message->payload = buffer;
	message->length = message->taken.length;
	message->lent = false;
	message->copy = buffer;
	return 0;
}

IKC_SHORT void channel_take(struct channel *channel, const struct channel_message *message)
{
	ikc_count(&channel->words->received, 1);
	channel_record(channel, IKC_TRACE_TAKEN, &message->taken, message->copy);
	ikc_take(&channel->receiver, &message->taken);
}

/* When nothing more is taken for now: rings a peer that waits for room. */
IKC_SHORT void channel_give_room(struct channel *channel)
{
	if (ikc_sender_sleeps(&channel->receiver))
		channel_ring(channel);
}

#endif
