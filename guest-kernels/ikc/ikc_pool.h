/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Payloads that are lent and not copied (docs/ikc-protocol.md, "Lent payloads"): a sender writes one into its
 * partition's pool and sends a reference; the pages are its own again when the message was taken.
 *
 * Who has which page is known here alone; nothing of it is in the region. The caller serialises all calls
 * with one pool, and all with one struct ikc_loans.
 */
#ifndef IKC_POOL_H
#define IKC_POOL_H

#include "ikc_ring.h"

struct ikc_pool {
	uint64_t used[IKC_POOL_PAGES / 64];
};

/* What a channel's messages have lent: by the index of the message's slot. */
struct ikc_loans {
	uint32_t settled; /* all messages before this index have been looked after */
	struct {
		uint16_t first;
		uint16_t pages; /* 0: nothing */
	} of[IKC_CHANNEL_SLOTS];
};

static inline bool ikc_pool_is_used(const struct ikc_pool *pool, uint32_t page)
{
	return pool->used[page / 64] >> page % 64 & 1;
}

static inline void ikc_pool_mark(struct ikc_pool *pool, uint32_t first, uint32_t pages)
{
	uint32_t page;

	for (page = first; page < first + pages; page++)
		pool->used[page / 64] ^= (uint64_t)1 << page % 64;
}

static inline uint32_t ikc_pool_pages_for(uint32_t bytes)
{
	return bytes / IKC_PAGE_SIZE + (bytes % IKC_PAGE_SIZE != 0);
}

/* Takes that many pages in a row, and returns the first, or IKC_FULL. */
static inline int ikc_pool_take(struct ikc_pool *pool, uint32_t pages)
{
	uint32_t page, row = 0;

	for (page = 0; pages && page < IKC_POOL_PAGES; page++) {
		row = ikc_pool_is_used(pool, page) ? 0 : row + 1;
		if (row == pages) {
			ikc_pool_mark(pool, page + 1 - pages, pages);
			return (int)(page + 1 - pages);
		}
	}
	return IKC_FULL;
}

static inline void ikc_pool_give(struct ikc_pool *pool, uint32_t first, uint32_t pages)
{
	ikc_pool_mark(pool, first, pages);
}

/* Before a channel's first loan: what may still be in its ring has lent nothing. IKC_OK or IKC_BAD_TAIL. */
static inline int ikc_loans_begin(struct ikc_loans *loans, const struct ikc_sender *sender)
{
	int room = ikc_sender_room(sender);
	uint32_t i;

	if (room < 0)
		return room;
	loans->settled = sender->head - (sender->slot_count - (uint32_t)room);
	for (i = 0; i < IKC_CHANNEL_SLOTS; i++)
		loans->of[i].pages = 0;
	return IKC_OK;
}

static inline void ikc_loans_settle(struct ikc_loans *loans, struct ikc_pool *pool, uint32_t until)
{
	for (; loans->settled != until; loans->settled++) {
		uint32_t slot = loans->settled & (IKC_CHANNEL_SLOTS - 1);

		ikc_pool_give(pool, loans->of[slot].first, loans->of[slot].pages);
		loans->of[slot].pages = 0;
	}
}

/* Takes back what the peer has taken by now. IKC_OK or IKC_BAD_TAIL. */
static inline int ikc_loans_reap(struct ikc_loans *loans, struct ikc_pool *pool,
				 const struct ikc_sender *sender)
{
	int room = ikc_sender_room(sender);
	uint32_t tail;

	if (room < 0)
		return room;
	tail = sender->head - (sender->slot_count - (uint32_t)room);
	if (tail - loans->settled > sender->head - loans->settled)
		return IKC_BAD_TAIL; /* it has gone back */
	ikc_loans_settle(loans, pool, tail);
	return IKC_OK;
}

/* Takes all of it back: the channel is closed on both sides, or its link was reset. */
static inline void ikc_loans_end(struct ikc_loans *loans, struct ikc_pool *pool,
				 const struct ikc_sender *sender)
{
	ikc_loans_settle(loans, pool, sender->head);
}

/*
 * Sends a reference to `length` bytes that lie in the pool from page `first` on; they are lent if this gives
 * IKC_OK. The results are those of ikc_send. Reap before: IKC_FULL is also what it gives when the slot's last
 * message was taken, but not yet reaped.
 */
static inline int ikc_lend(struct ikc_loans *loans, struct ikc_sender *sender, uint32_t first, uint32_t length)
{
	struct ikc_reference reference = { (uint64_t)first * IKC_PAGE_SIZE, length, 0 };
	struct ikc_message message = { sizeof(reference), IKC_PACKET_LENT, 0 };
	uint32_t slot = sender->head & (sender->slot_count - 1);
	int result;

	if (sender->head - loans->settled >= sender->slot_count)
		return IKC_FULL;
	result = ikc_send(sender, &message, &reference);
	if (result == IKC_OK) {
		loans->of[slot].first = (uint16_t)first;
		loans->of[slot].pages = (uint16_t)ikc_pool_pages_for(length);
	}
	return result;
}

/*
 * Where the payload of a message with IKC_PACKET_LENT lies, `pool` being the sender's, or a null pointer: the
 * peer is broken. *length is what it has. The peer can change it at any time: copy, check, use. It stays until
 * the message is taken.
 */
static inline const uint8_t *ikc_lent(const uint8_t *pool, const struct ikc_message *message,
				      const void *payload, uint32_t *length)
{
	struct ikc_reference reference;

	if (message->length != sizeof(reference))
		return (void *)0;
	__builtin_memcpy(&reference, payload, sizeof(reference));
	if (reference.offset > IKC_POOL_SIZE || reference.length > IKC_POOL_SIZE - reference.offset)
		return (void *)0;
	*length = reference.length;
	return pool + reference.offset;
}

#endif
