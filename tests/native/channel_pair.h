/* SPDX-License-Identifier: Apache-2.0 */
/* Two kernels whose link runs, and the channels of it. */
#ifndef CHANNEL_PAIR_H
#define CHANNEL_PAIR_H

#include "ikc_channel.h"
#include "region_pair.h"

enum { OPENER, OTHER, COUNT };

/* Kernel i sees the region at memory.at[i], or, with one view, as the other does: for TSan. */
struct channel_pair {
	struct guarded memory;
	struct ikc_link links[COUNT];
	struct ikc_channels channels[COUNT];
};

static inline void channel_pair_create(struct channel_pair *pair, uint32_t views)
{
	pair->memory = region_create(COUNT);
	for (uint32_t id = 0; id < COUNT; id++) {
		struct ikc_map map = map_of(&pair->memory, id % views);

		monitor_begins_life(&pair->memory, id);
		ikc_link_init(&pair->links[id], &map, id, COUNT - 1 - id, 1);
		ikc_channels_init(&pair->channels[id], &pair->links[id]);
	}
	for (uint32_t i = 0; i < 10; i++)
		ikc_link_settle(&pair->links[i % COUNT]);
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK_EQ(pair->links[id].state, IKC_LINK_RUN);
		ikc_channels_begin(&pair->channels[id]);
	}
}

#endif
