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

/* A message of one slot costs little more than a call does, and a long one's copying would only be in its way. */
#define IKC_SHORT static inline __attribute__((__always_inline__))
#define IKC_LONG static __attribute__((__noinline__, __unused__))

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
	uint32_t seen;	     /* the peer's tail, as last looked at for room; at first a whole ring back */
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

/*
 * What a slot says of its message, length, to_port and from_port, passes as one word: one access, and no part of
 * it is of another time than the rest.
 */
typedef uint64_t __attribute__((may_alias)) ikc_header;

static inline ikc_header *ikc_header_of(const struct ikc_slot *slot)
{
	return (ikc_header *)&slot->length;
}

static inline ikc_header ikc_header_from(const struct ikc_message *message)
{
	return (uint64_t)message->from_port << 48 | (uint64_t)message->to_port << 32 | message->length;
}

static inline void ikc_header_read(struct ikc_message *message, ikc_header header)
{
	message->length = (uint32_t)header;
	message->to_port = (uint16_t)(header >> 32);
	message->from_port = (uint16_t)(header >> 48);
}

/* Slots free for sending, or IKC_BAD_TAIL. Ordered, so that it can be the look after ikc_sender_wait. */
static inline int ikc_sender_room(const struct ikc_sender *sender)
{
	uint32_t used = sender->head - ikc_load_ordered(&sender->peer->tail);

	if (used > sender->slot_count)
		return IKC_BAD_TAIL;
	return (int)(sender->slot_count - used);
}

/*
 * Is there room for so many slots, at most all? IKC_OK, IKC_FULL or IKC_BAD_TAIL. The peer writes its tail with
 * each message that it takes: to look at it each time would cost a cache line's way from CPU to CPU.
 */
IKC_SHORT int ikc_sender_has_room(struct ikc_sender *sender, uint32_t needed)
{
	int room;

	if (sender->head - sender->seen <= sender->slot_count - needed)
		return IKC_OK;
	room = ikc_sender_room(sender);
	if (room < 0)
		return room;
	sender->seen = sender->head - (sender->slot_count - (uint32_t)room);
	return (uint32_t)room < needed ? IKC_FULL : IKC_OK;
}

/*
 * What lies in one slot. What fills its first cache line, as most calls to a proxy do, is copied in line: to call who copies any
 * length takes as long as that.
 */
IKC_SHORT void ikc_copy(void *to, const void *from, uint32_t length)
{
	if (__builtin_expect(length == IKC_SLOT_LINE, 1)) {
		__asm__("" : "+r"(to), "+r"(from)); /* else it warns of objects that are never so long */
		__builtin_memcpy(to, from, IKC_SLOT_LINE);
	} else if (length) { /* an empty message may come without a payload */
		__builtin_memcpy(to, from, length);
	}
}

/* Into all slots of a long message. Nobody looks at those behind the first before the first one's stamp. */
IKC_LONG void ikc_fill(const struct ikc_sender *sender, const uint8_t *bytes, uint32_t left)
{
	uint32_t mask = sender->slot_count - 1;
	uint32_t index;

	for (index = sender->head; left; index++) {
		struct ikc_slot *slot = &sender->slots[index & mask];
		uint32_t part = left < IKC_SLOT_DATA ? left : IKC_SLOT_DATA;

		__builtin_memcpy(slot->data, bytes, part);
		if (index != sender->head)
			ikc_store(&slot->stamp, ikc_stamp(sender->generation, index));
		bytes += part;
		left -= part;
	}
}

/* Sends one message. IKC_OK, IKC_FULL, IKC_TOO_LARGE or IKC_BAD_TAIL; nothing is sent unless IKC_OK. */
IKC_SHORT int ikc_send(struct ikc_sender *sender, const struct ikc_message *message,
			   const void *payload)
{
	struct ikc_slot *slot = &sender->slots[sender->head & (sender->slot_count - 1)];
	uint32_t length = message->length;
	uint32_t needed = 1;
	int result;

	if (length > IKC_SLOT_DATA) {
		if (length > ikc_ring_message_max(sender->slot_count))
			return IKC_TOO_LARGE;
		needed = ikc_slots_for(length);
	}
	result = ikc_sender_has_room(sender, needed);
	if (result != IKC_OK)
		return result;

	if (length > IKC_SLOT_DATA)
		ikc_fill(sender, (const uint8_t *)payload, length);
	else
		ikc_copy(slot->data, payload, length);
	ikc_store(ikc_header_of(slot), ikc_header_from(message));
	ikc_store_ordered(&slot->stamp, ikc_stamp(sender->generation, sender->head));
	sender->head += needed;
	ikc_store(&sender->own->head, sender->head);
	return IKC_OK;
}

/* After a send: what the receiver does (enum ikc_receiver_waits, or what a broken peer wrote there). */
static inline uint32_t ikc_receiver_waits(const struct ikc_sender *sender)
{
	return ikc_load_ordered(&sender->peer->receiver_waits);
}

/* After a send: does the receiver sleep, so that a doorbell is due? */
static inline bool ikc_receiver_sleeps(const struct ikc_sender *sender)
{
	return ikc_receiver_waits(sender) != IKC_RECEIVER_LOOKS;
}

/* Is there a message to take? Ordered, so that it can be the look after ikc_receiver_wait. */
static inline bool ikc_receiver_ready(const struct ikc_receiver *receiver)
{
	const struct ikc_slot *slot = &receiver->slots[receiver->tail & (receiver->slot_count - 1)];

	return ikc_load_ordered(&slot->stamp) == ikc_stamp(receiver->generation, receiver->tail);
}

/*
 * Looks for a message up to so many times, and at its one word alone: true if there is one. For who would
 * otherwise look at the clock, or whether the link is up, between two looks.
 */
static inline bool ikc_receiver_spin(const struct ikc_receiver *receiver, uint32_t looks)
{
	const uint64_t *stamp = &receiver->slots[receiver->tail & (receiver->slot_count - 1)].stamp;
	uint64_t due = ikc_stamp(receiver->generation, receiver->tail);

	while (looks--)
		if (ikc_load_acquire(stamp) == due)
			return true;
	return false;
}

/* Out of all slots of a long message. IKC_OK, or IKC_BAD_LENGTH if one is of another time. */
IKC_LONG int ikc_copy_out(const struct ikc_receiver *receiver, uint8_t *bytes, uint32_t left)
{
	uint32_t mask = receiver->slot_count - 1;
	uint32_t index;

	for (index = receiver->tail; left; index++) {
		const struct ikc_slot *slot = &receiver->slots[index & mask];
		uint32_t part = left < IKC_SLOT_DATA ? left : IKC_SLOT_DATA;

		if (index != receiver->tail &&
		    ikc_load(&slot->stamp) != ikc_stamp(receiver->generation, index))
			return IKC_BAD_LENGTH;
		__builtin_memcpy(bytes, slot->data, part);
		bytes += part;
		left -= part;
	}
	return IKC_OK;
}

/*
 * Copies the next message out and leaves it in the ring: its header into *message, its payload into
 * `buffer` of `capacity` bytes. IKC_OK, IKC_EMPTY, IKC_BAD_LENGTH, or IKC_TOO_LARGE (message->length
 * tells what it needs). The peer may change what is being copied: the copy is then garbage, but bounded.
 */
IKC_SHORT int ikc_peek(const struct ikc_receiver *receiver, struct ikc_message *message, void *buffer,
			   uint32_t capacity)
{
	const struct ikc_slot *slot = &receiver->slots[receiver->tail & (receiver->slot_count - 1)];
	uint32_t length;

	if (ikc_load_acquire(&slot->stamp) != ikc_stamp(receiver->generation, receiver->tail))
		return IKC_EMPTY;
	ikc_header_read(message, ikc_load(ikc_header_of(slot)));
	length = message->length;
	if (length > IKC_SLOT_DATA && length > ikc_ring_message_max(receiver->slot_count))
		return IKC_BAD_LENGTH;
	if (length > capacity)
		return IKC_TOO_LARGE;
	if (length > IKC_SLOT_DATA)
		return ikc_copy_out(receiver, (uint8_t *)buffer, length);
	ikc_copy(buffer, slot->data, length);
	return IKC_OK;
}

/* After ikc_peek gave IKC_OK: the message is taken, and its slots, and what it lent, are the sender's again. */
IKC_SHORT void ikc_take(struct ikc_receiver *receiver, const struct ikc_message *message)
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
	uint32_t says = waits ? IKC_RECEIVER_SLEEPS : IKC_RECEIVER_LOOKS;

	ikc_store_ordered(&receiver->own->receiver_waits, says);
}

/* It looks before it raises the flag and sleeps. */
static inline void ikc_receiver_come_by(struct ikc_receiver *receiver)
{
	ikc_store_ordered(&receiver->own->receiver_waits, (uint32_t)IKC_RECEIVER_COMES_BY);
}

static inline void ikc_sender_wait(struct ikc_sender *sender, bool waits)
{
	ikc_store_ordered(&sender->own->sender_waits, waits);
}

#endif
