/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One ring: messages from one kernel to another, in order (docs/ikc-protocol.md, "Rings").
 *
 * One sender and one receiver at a time on each side: the caller holds its own lock. The peer's
 * words are hostile: each is read once into a local, checked, and then used. Nothing here blocks,
 * allocates, locks or prints.
 */
#ifndef IKC_RING_H
#define IKC_RING_H

#include "ikc_layout.h"

enum ikc_ring_result {
	IKC_OK = 0,
	IKC_EMPTY = -1,
	IKC_FULL = -2,	    /* try again when the receiver has taken something */
	IKC_TOO_LARGE = -3, /* longer than the ring's largest message, or than the caller's buffer */
	IKC_BAD_TAIL = -4,  /* the peer is broken: reset the link */
	IKC_BAD_LENGTH = -5, /* the peer is broken: reset the link */
};

/* The sending end. All but `peer` is ours; `slots` is written by us and read by the peer. */
struct ikc_sender {
	struct ikc_slot *slots;
	struct ikc_cursor *own;
	const struct ikc_cursor *peer;
	uint32_t slot_count; /* a power of two */
	uint32_t generation; /* ours: it marks our messages */
	uint32_t head;	     /* the truth; own->head is a copy for onlookers */
};

/* The receiving end. */
struct ikc_receiver {
	const struct ikc_slot *slots;
	struct ikc_cursor *own;
	const struct ikc_cursor *peer;
	uint32_t slot_count;
	uint32_t generation; /* the peer's: we take only messages of this life */
	uint32_t tail;	     /* the truth; own->tail tells the peer */
};

struct ikc_message {
	uint32_t length;
	uint16_t to_port;
	uint16_t from_port;
};

static inline uint32_t ikc_slots_for(uint32_t length)
{
	return length <= IKC_SLOT_DATA ? 1 : (length + IKC_SLOT_DATA - 1) / IKC_SLOT_DATA;
}

static inline uint32_t ikc_ring_message_max(uint32_t slot_count)
{
	uint32_t room = slot_count * IKC_SLOT_DATA;

	return room < IKC_MESSAGE_MAX ? room : IKC_MESSAGE_MAX;
}

static inline uint64_t ikc_stamp(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | (uint32_t)(index + 1);
}

/* Slots free for sending, or IKC_BAD_TAIL. Ordered, so that it can be the look after ikc_sender_wait. */
static inline int ikc_sender_room(const struct ikc_sender *sender)
{
	uint32_t used = sender->head - ikc_load_ordered(&sender->peer->tail);

	if (used > sender->slot_count)
		return IKC_BAD_TAIL;
	return (int)(sender->slot_count - used);
}

/* Sends one message. IKC_OK, IKC_FULL, IKC_TOO_LARGE or IKC_BAD_TAIL; nothing is sent unless IKC_OK. */
static inline int ikc_send(struct ikc_sender *sender, const struct ikc_message *message,
			   const void *payload)
{
	const uint8_t *bytes = (const uint8_t *)payload;
	uint32_t mask = sender->slot_count - 1;
	uint32_t left = message->length;
	uint32_t needed = ikc_slots_for(left);
	struct ikc_slot *first = &sender->slots[sender->head & mask];
	uint32_t i;
	int room;

	if (left > ikc_ring_message_max(sender->slot_count))
		return IKC_TOO_LARGE;
	room = ikc_sender_room(sender);
	if (room < 0)
		return room;
	if ((uint32_t)room < needed)
		return IKC_FULL;

	for (i = 0; i < needed; i++) {
		struct ikc_slot *slot = &sender->slots[(sender->head + i) & mask];
		uint32_t part = left < IKC_SLOT_DATA ? left : IKC_SLOT_DATA;

		if (part) /* an empty message may come without a payload */
			__builtin_memcpy(slot->data, bytes + i * IKC_SLOT_DATA, part);
		left -= part;
		if (i > 0)
			ikc_store(&slot->stamp, ikc_stamp(sender->generation, sender->head + i));
	}
	ikc_store(&first->length, message->length);
	ikc_store(&first->to_port, message->to_port);
	ikc_store(&first->from_port, message->from_port);
	ikc_store_ordered(&first->stamp, ikc_stamp(sender->generation, sender->head));
	sender->head += needed;
	ikc_store(&sender->own->head, sender->head);
	return IKC_OK;
}

/* After a send: does the receiver sleep, so that a doorbell is due? */
static inline bool ikc_receiver_sleeps(const struct ikc_sender *sender)
{
	return ikc_load_ordered(&sender->peer->receiver_waits) != 0;
}

/* Is there a message to take? Ordered, so that it can be the look after ikc_receiver_wait. */
static inline bool ikc_receiver_ready(const struct ikc_receiver *receiver)
{
	const struct ikc_slot *slot = &receiver->slots[receiver->tail & (receiver->slot_count - 1)];

	return ikc_load_ordered(&slot->stamp) == ikc_stamp(receiver->generation, receiver->tail);
}

/*
 * Copies the next message out and leaves it in the ring: its header into *message, its payload into
 * `buffer` of `capacity` bytes. IKC_OK, IKC_EMPTY, IKC_BAD_LENGTH, or IKC_TOO_LARGE (message->length
 * tells what it needs). The peer may change what is being copied: the copy is then garbage, but bounded.
 */
static inline int ikc_peek(const struct ikc_receiver *receiver, struct ikc_message *message, void *buffer,
			   uint32_t capacity)
{
	uint8_t *bytes = (uint8_t *)buffer;
	uint32_t mask = receiver->slot_count - 1;
	const struct ikc_slot *first = &receiver->slots[receiver->tail & mask];
	uint32_t left, needed, i;

	if (ikc_load_acquire(&first->stamp) != ikc_stamp(receiver->generation, receiver->tail))
		return IKC_EMPTY;
	left = ikc_load(&first->length);
	if (left > ikc_ring_message_max(receiver->slot_count))
		return IKC_BAD_LENGTH;
	message->length = left;
	message->to_port = ikc_load(&first->to_port);
	message->from_port = ikc_load(&first->from_port);
	if (left > capacity)
		return IKC_TOO_LARGE;

	needed = ikc_slots_for(left);
	for (i = 0; i < needed; i++) {
		const struct ikc_slot *slot = &receiver->slots[(receiver->tail + i) & mask];
		uint32_t part = left < IKC_SLOT_DATA ? left : IKC_SLOT_DATA;

		if (i > 0 && ikc_load(&slot->stamp) !=
				     ikc_stamp(receiver->generation, receiver->tail + i))
			return IKC_BAD_LENGTH;
		if (part)
			__builtin_memcpy(bytes + i * IKC_SLOT_DATA, slot->data, part);
		left -= part;
	}
	return IKC_OK;
}

/* After ikc_peek gave IKC_OK: the message is taken, and its slots, and what it lent, are the sender's again. */
static inline void ikc_take(struct ikc_receiver *receiver, const struct ikc_message *message)
{
	receiver->tail += ikc_slots_for(message->length);
	ikc_store_ordered(&receiver->own->tail, receiver->tail);
}

/* Takes one message; the results of ikc_peek, and the message stays unless it is IKC_OK. */
static inline int ikc_receive(struct ikc_receiver *receiver, struct ikc_message *message, void *buffer,
			      uint32_t capacity)
{
	int result = ikc_peek(receiver, message, buffer, capacity);

	if (result == IKC_OK)
		ikc_take(receiver, message);
	return result;
}

/* After a receive: does the sender sleep for want of room, so that a doorbell is due? */
static inline bool ikc_sender_sleeps(const struct ikc_receiver *receiver)
{
	return ikc_load_ordered(&receiver->peer->sender_waits) != 0;
}

/*
 * Before sleeping: raise the flag, then look again (ikc_receiver_ready, ikc_sender_room); sleep only
 * if there is still nothing. Lower the flag when awake.
 */
static inline void ikc_receiver_wait(struct ikc_receiver *receiver, bool waits)
{
	ikc_store_ordered(&receiver->own->receiver_waits, waits);
}

static inline void ikc_sender_wait(struct ikc_sender *sender, bool waits)
{
	ikc_store_ordered(&sender->own->sender_waits, waits);
}

#endif
