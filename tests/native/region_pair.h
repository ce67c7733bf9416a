/* SPDX-License-Identifier: Apache-2.0 */
/* A formatted IKC region in guarded memory, and the monitor's part in it. */
#ifndef REGION_PAIR_H
#define REGION_PAIR_H

#include "check.h"
#include "guarded.h"
#include "ikc_layout.h"

/* A region for `count` partitions, all dead; it ends where its memory does. */
static inline struct guarded region_create(uint32_t count)
{
	uint64_t halves = IKC_PAGE_SIZE + count * sizeof(struct ikc_partition);
	uint64_t size = halves + count * count * sizeof(struct ikc_half);
	struct guarded memory = guarded_create(size);
	struct ikc_region *region = memory.at[0];

	*region = (struct ikc_region){
		.magic = IKC_MAGIC,
		.abi_major = IKC_ABI_MAJOR,
		.abi_minor = IKC_ABI_MINOR,
		.region_size = size,
		.run_id = 1,
		.partition_count = count,
		.monitor_id = count,
		.partitions_offset = IKC_PAGE_SIZE,
		.partition_stride = sizeof(struct ikc_partition),
		.halves_offset = halves,
		.half_stride = sizeof(struct ikc_half),
	};
	return memory;
}

/* The region as the kernel sees it that has this mapping of it. */
static inline struct ikc_map map_of(const struct guarded *memory, uint32_t mapping)
{
	struct ikc_map map;

	CHECK(!ikc_map_region(&map, memory->at[mapping], memory->size));
	return map;
}

static inline struct ikc_mailbox *mailbox_of(const struct guarded *memory, uint32_t index)
{
	struct ikc_map map = map_of(memory, 0);

	return &ikc_partition_at(&map, index)->mailbox;
}

static inline void monitor_ends_life(const struct guarded *memory, uint32_t index)
{
	ikc_store_release(&mailbox_of(memory, index)->alive, 0);
}

static inline void begin_life(struct ikc_mailbox *mailbox)
{
	ikc_store_release(&mailbox->alive, 0);
	ikc_store_release(&mailbox->incarnation, mailbox->incarnation + 1);
	ikc_store_release(&mailbox->alive, 1);
}

static inline void monitor_begins_life(const struct guarded *memory, uint32_t index)
{
	begin_life(mailbox_of(memory, index));
}

#endif
