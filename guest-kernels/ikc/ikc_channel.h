/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Channels of a link: pairs of rings that come and go while the link runs (docs/ikc-protocol.md,
 * "Channels"). Each end says in words of its own what it thinks of each channel; no message can be
 * lost, and no room is needed, to open or close one.
 *
 * Both ends take turns: neither leaves a state before the other has seen it, so that a look never
 * misses one. The caller serialises all calls for one link, in RUN.
 */
#ifndef IKC_CHANNEL_H
#define IKC_CHANNEL_H

#include "ikc_link.h"

/* What the opener asks for. Ports are named from the side that reads: `from_port` is the peer's. */
struct ikc_terms {
	uint16_t to_port;
	uint16_t from_port;
	uint32_t magic;
	uint32_t packet_size;
};

struct ikc_channel_end {
	enum ikc_channel_state state;
	uint32_t life;
	uint32_t head;	  /* slots ever published in our ring in this pair of lives of the link */
	bool peer_opened; /* as our word is: both may send */
};

/* All channels of a link, as this end knows them; the truth is here, the words in our half are copies. */
struct ikc_channels {
	struct ikc_link *link;
	uint32_t turn; /* as last stored */
	uint32_t seen; /* the peer's, as last looked at */
	bool looked;
	struct ikc_channel_end ends[IKC_CHANNELS];
};

/* What a look found out about one channel. */
enum ikc_channel_news {
	IKC_CHANNEL_NO_NEWS = 0,
	IKC_CHANNEL_ASKED,   /* answer now: ikc_channel_accept or ikc_channel_refuse */
	IKC_CHANNEL_ACCEPTED, /* what we asked for; now ikc_channel_confirm */
	IKC_CHANNEL_OPENED,  /* what we accepted is open on both sides: we may send; told once */
	IKC_CHANNEL_DENIED,  /* what we asked for was refused; the channel is free again */
	IKC_CHANNEL_ENDED,   /* the peer closed it; told until we close it too */
	IKC_CHANNEL_GONE,    /* both have closed it, and nobody here has it any more */
	IKC_CHANNEL_BROKEN,  /* ikc_link_fault with IKC_RESET_BAD_CHANNEL */
};

/* For logs and tools. Any number has a word: it may come from a peer. */
static inline const char *ikc_refusal_word(uint32_t refusal)
{
	static const char *const words[] = {
		[IKC_REFUSAL_NONE] = "no reason",
		[IKC_REFUSAL_PORT] = "nobody listens there",
		[IKC_REFUSAL_MAGIC] = "who listens there has another magic",
		[IKC_REFUSAL_PACKET_SIZE] = "who listens there has another packet size",
		[IKC_REFUSAL_BUSY] = "who listens there is busy",
		[IKC_REFUSAL_CLOSED] = "closed at once",
	};

	return refusal < sizeof(words) / sizeof(words[0]) ? words[refusal] : "?";
}

static inline void ikc_channels_init(struct ikc_channels *channels, struct ikc_link *link)
{
	channels->link = link;
	channels->turn = ikc_load(&link->own->channel_turn);
}

/* When the link has come to RUN: all channels are free. */
static inline void ikc_channels_begin(struct ikc_channels *channels)
{
	uint32_t i;

	channels->looked = false;
	for (i = 0; i < IKC_CHANNELS; i++)
		channels->ends[i] = (struct ikc_channel_end){ .state = IKC_CHANNEL_FREE };
}

/* Half of the channels are each end's to open, so that two openers never take the same one. */
static inline bool ikc_channel_is_ours(const struct ikc_channels *channels, uint32_t index)
{
	bool low = index < IKC_CHANNELS / 2;

	return channels->link->own_id < channels->link->peer_id ? low : !low;
}

static inline void ikc_channel_say(struct ikc_channels *channels, uint32_t index,
				   enum ikc_channel_state state)
{
	struct ikc_half *own = channels->link->own;

	channels->ends[index].state = state;
	ikc_store(&own->channels[index].life, channels->ends[index].life);
	ikc_store_ordered(&own->channels[index].state, (uint32_t)state);
	ikc_store_ordered(&own->channel_turn, ++channels->turn);
}

static inline uint32_t ikc_channel_peer_state(const struct ikc_channels *channels, uint32_t index)
{
	return ikc_load_ordered(&channels->link->peer->channels[index].state);
}

/* Words that the peer needs with OPENING and with OPEN. */
static inline void ikc_channel_prepare(struct ikc_channels *channels, uint32_t index,
				       enum ikc_vector vector)
{
	struct ikc_channel *own = &channels->link->own->channels[index];
	struct ikc_cursor *cursor = &channels->link->own->channel_cursors[index];

	channels->ends[index].peer_opened = false;
	ikc_store(&own->start, channels->ends[index].head);
	ikc_store(&own->vector, (uint32_t)vector);
	ikc_store(&cursor->head, channels->ends[index].head);
	ikc_store(&cursor->receiver_waits, 0);
	ikc_store(&cursor->sender_waits, 0);
}

/*
 * Asks the peer for a channel; for its messages it shall ring `vector`. Returns the index, or IKC_FULL: none
 * of ours is free now. Then ring the peer's control vector.
 */
static inline int ikc_channel_open(struct ikc_channels *channels, const struct ikc_terms *terms,
				   enum ikc_vector vector)
{
	uint32_t i;

	for (i = 0; i < IKC_CHANNELS; i++) {
		struct ikc_channel *own = &channels->link->own->channels[i];

		if (!ikc_channel_is_ours(channels, i) || channels->ends[i].state != IKC_CHANNEL_FREE ||
		    ikc_channel_peer_state(channels, i) != IKC_CHANNEL_FREE)
			continue;
		channels->ends[i].life++;
		ikc_channel_prepare(channels, i, vector);
		ikc_store(&own->to_port, terms->to_port);
		ikc_store(&own->from_port, terms->from_port);
		ikc_store(&own->magic, terms->magic);
		ikc_store(&own->packet_size, terms->packet_size);
		ikc_channel_say(channels, i, IKC_CHANNEL_OPENING);
		return (int)i;
	}
	return IKC_FULL;
}

/*
 * Our ends of both rings. The tail is stored before our word is OPEN, and so before the peer sends and looks
 * at it.
 */
static inline void ikc_channel_rings(const struct ikc_channels *channels, uint32_t index,
				     struct ikc_sender *sender, struct ikc_receiver *receiver)
{
	const struct ikc_link *link = channels->link;
	struct ikc_cursor *own = &link->own->channel_cursors[index];
	const struct ikc_cursor *peer = &link->peer->channel_cursors[index];

	*sender = (struct ikc_sender){
		.slots = link->own->channel_slots[index],
		.own = own,
		.peer = peer,
		.slot_count = IKC_CHANNEL_SLOTS,
		.generation = link->generation,
		.head = channels->ends[index].head,
		.seen = channels->ends[index].head - IKC_CHANNEL_SLOTS,
	};
	*receiver = (struct ikc_receiver){
		.slots = link->peer->channel_slots[index],
		.own = own,
		.peer = peer,
		.slot_count = IKC_CHANNEL_SLOTS,
		.generation = link->peer_generation,
		.tail = ikc_load(&link->peer->channels[index].start),
	};
	ikc_store_release(&own->tail, receiver->tail);
}

/*
 * After ASKED: the channel is open here, and its receiver may be used. Its sender may not before OPENED. Ring
 * the peer's control vector.
 */
static inline void ikc_channel_accept(struct ikc_channels *channels, uint32_t index, enum ikc_vector vector,
				      struct ikc_sender *sender, struct ikc_receiver *receiver)
{
	ikc_channel_prepare(channels, index, vector);
	ikc_channel_rings(channels, index, sender, receiver);
	ikc_channel_say(channels, index, IKC_CHANNEL_OPEN);
}

/* After ASKED. Ring the peer's control vector. */
static inline void ikc_channel_refuse(struct ikc_channels *channels, uint32_t index,
				      enum ikc_channel_refusal refusal)
{
	ikc_store(&channels->link->own->channels[index].refusal, (uint32_t)refusal);
	ikc_channel_say(channels, index, IKC_CHANNEL_REFUSED);
}

/* After ACCEPTED: the channel is open on both sides. Ring the peer's control vector. */
static inline void ikc_channel_confirm(struct ikc_channels *channels, uint32_t index,
				       struct ikc_sender *sender, struct ikc_receiver *receiver)
{
	channels->ends[index].peer_opened = true;
	ikc_channel_rings(channels, index, sender, receiver);
	ikc_channel_say(channels, index, IKC_CHANNEL_OPEN);
}

/*
 * Ends our part of a channel that is open, or only asked for: `sender` is NULL then. Nobody here uses its rings
 * any more; what was sent may still be taken. Ring the peer's control vector, and look again
 * (ikc_channels_changed): a peer that closed first says nothing new any more.
 */
static inline void ikc_channel_close(struct ikc_channels *channels, uint32_t index,
				     const struct ikc_sender *sender)
{
	if (sender)
		channels->ends[index].head = sender->head;
	ikc_channel_say(channels, index, IKC_CHANNEL_CLOSED);
	channels->looked = false;
}

static inline enum ikc_channel_news ikc_channel_freed(struct ikc_channels *channels, uint32_t index,
						      enum ikc_channel_news news)
{
	ikc_channel_say(channels, index, IKC_CHANNEL_FREE);
	return news;
}

/* Of a channel that we open; `same` is the peer's word about this very life of it. */
static inline enum ikc_channel_news ikc_channel_look_ours(struct ikc_channels *channels, uint32_t index,
							  uint32_t peer_state, bool same)
{
	switch (channels->ends[index].state) {
	case IKC_CHANNEL_OPENING:
		if (!same || peer_state == IKC_CHANNEL_FREE) /* its life is stored before its state */
			return IKC_CHANNEL_NO_NEWS;
		if (peer_state == IKC_CHANNEL_REFUSED || peer_state == IKC_CHANNEL_CLOSED)
			return ikc_channel_freed(channels, index, IKC_CHANNEL_DENIED);
		return peer_state == IKC_CHANNEL_OPEN ? IKC_CHANNEL_ACCEPTED : IKC_CHANNEL_BROKEN;
	case IKC_CHANNEL_OPEN:
		if (same && peer_state == IKC_CHANNEL_CLOSED)
			return IKC_CHANNEL_ENDED;
		return same && peer_state == IKC_CHANNEL_OPEN ? IKC_CHANNEL_NO_NEWS : IKC_CHANNEL_BROKEN;
	case IKC_CHANNEL_CLOSED:
		if (same && (peer_state == IKC_CHANNEL_CLOSED || peer_state == IKC_CHANNEL_REFUSED))
			return ikc_channel_freed(channels, index, IKC_CHANNEL_GONE);
		return IKC_CHANNEL_NO_NEWS;
	default:
		return IKC_CHANNEL_NO_NEWS;
	}
}

/* Of a channel that the peer opens. */
static inline enum ikc_channel_news ikc_channel_look_theirs(struct ikc_channels *channels, uint32_t index,
							    uint32_t peer_state, uint32_t peer_life)
{
	struct ikc_channel_end *end = &channels->ends[index];
	bool same = peer_life == end->life;

	switch (end->state) {
	case IKC_CHANNEL_OPEN:
		if (same && peer_state == IKC_CHANNEL_CLOSED)
			return IKC_CHANNEL_ENDED;
		if (same && peer_state == IKC_CHANNEL_OPENING && !end->peer_opened)
			return IKC_CHANNEL_NO_NEWS;
		if (!same || peer_state != IKC_CHANNEL_OPEN)
			return IKC_CHANNEL_BROKEN;
		if (end->peer_opened)
			return IKC_CHANNEL_NO_NEWS;
		end->peer_opened = true;
		return IKC_CHANNEL_OPENED;
	case IKC_CHANNEL_REFUSED:
	case IKC_CHANNEL_CLOSED:
		if (peer_state != IKC_CHANNEL_FREE)
			return IKC_CHANNEL_NO_NEWS;
		return ikc_channel_freed(channels, index, IKC_CHANNEL_GONE);
	default:
		end->life = peer_life;
		if (peer_state == IKC_CHANNEL_OPENING)
			return IKC_CHANNEL_ASKED;
		if (peer_state == IKC_CHANNEL_CLOSED) { /* it has changed its mind before we looked */
			ikc_channel_say(channels, index, IKC_CHANNEL_CLOSED);
			return IKC_CHANNEL_GONE;
		}
		return peer_state == IKC_CHANNEL_FREE ? IKC_CHANNEL_NO_NEWS : IKC_CHANNEL_BROKEN;
	}
}

/*
 * Looks at one channel. If the news are ASKED, *terms is what is asked for; if DENIED, terms->magic is
 * why (enum ikc_channel_refusal, or what a broken peer wrote there). After DENIED and GONE ring the peer's
 * control vector.
 */
static inline enum ikc_channel_news ikc_channel_look(struct ikc_channels *channels, uint32_t index,
						     struct ikc_terms *terms)
{
	const struct ikc_channel *peer = &channels->link->peer->channels[index];
	uint32_t state = ikc_channel_peer_state(channels, index);
	uint32_t life = ikc_load(&peer->life);
	enum ikc_channel_news news;

	if (ikc_channel_is_ours(channels, index))
		news = ikc_channel_look_ours(channels, index, state, life == channels->ends[index].life);
	else
		news = ikc_channel_look_theirs(channels, index, state, life);
	if (news == IKC_CHANNEL_ASKED) {
		terms->to_port = ikc_load(&peer->to_port);
		terms->from_port = ikc_load(&peer->from_port);
		terms->magic = ikc_load(&peer->magic);
		terms->packet_size = ikc_load(&peer->packet_size);
	}
	if (news == IKC_CHANNEL_DENIED)
		terms->magic = state == IKC_CHANNEL_CLOSED ? (uint32_t)IKC_REFUSAL_CLOSED
							   : ikc_load(&peer->refusal);
	return news;
}

/*
 * Has the peer said anything new about any channel? True once for each change, in a new life of the link, and
 * after each close.
 */
static inline bool ikc_channels_changed(struct ikc_channels *channels)
{
	uint32_t turn = ikc_load_ordered(&channels->link->peer->channel_turn);

	if (channels->looked && turn == channels->seen)
		return false;
	channels->looked = true;
	channels->seen = turn;
	return true;
}

/* The vector on which the peer wants to be rung for a channel. */
static inline enum ikc_vector ikc_channel_vector(const struct ikc_channels *channels, uint32_t index)
{
	uint32_t vector = ikc_load(&channels->link->peer->channels[index].vector);

	return vector >= IKC_VECTOR_CHANNEL && vector < IKC_VECTORS ? (enum ikc_vector)vector
								     : IKC_VECTOR_CHANNEL;
}

#endif
