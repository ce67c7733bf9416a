/* SPDX-License-Identifier: Apache-2.0 */
/* Both ends of one ring in guarded memory. */
#ifndef RING_PAIR_H
#define RING_PAIR_H

#include "guarded.h"
#include "ikc_ring.h"

struct ring_pair {
	struct guarded
		slots; /* whole pages, so that the slot before the first and after the last fault */
	struct guarded cursors; /* [0] the sender's, [1] the receiver's */
	struct ikc_sender sender;
	struct ikc_receiver receiver;
};

/*
 * A ring of `slot_count` slots (a power of two from 32 on) whose next index is `index`, as if all
 * before had been sent and taken. The ends use different views of the memory; `views` 1: the same,
 * for TSan.
 */
static inline void ring_pair_create(struct ring_pair *pair, uint32_t slot_count, uint32_t index,
				    uint32_t generation, int views)
{
	int other = views - 1;

	pair->slots = guarded_create(slot_count * sizeof(struct ikc_slot));
	pair->cursors = guarded_create(IKC_PAGE_SIZE);
	pair->sender = (struct ikc_sender){
		.slots = pair->slots.at[0],
		.own = (struct ikc_cursor *)pair->cursors.at[0],
		.peer = (struct ikc_cursor *)pair->cursors.at[0] + 1,
		.slot_count = slot_count,
		.generation = generation,
		.head = index,
	};
	pair->receiver = (struct ikc_receiver){
		.slots = pair->slots.at[other],
		.own = (struct ikc_cursor *)pair->cursors.at[other] + 1,
		.peer = (struct ikc_cursor *)pair->cursors.at[other],
		.slot_count = slot_count,
		.generation = generation,
		.tail = index,
	};
	pair->receiver.own->tail = index;
}

static inline void ring_pair_destroy(struct ring_pair *pair)
{
	guarded_destroy(&pair->slots);
	guarded_destroy(&pair->cursors);
}

#endif
