/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl channels: every channel of this partition that is in use. */
#include <stdio.h>

#include "device.h"
#include "options.h"
#include "verbs.h"
#include "words.h"

/* One channel, as its two ends tell it. */
struct channels_row {
	char peer[IKC_NAME_SIZE];
	uint32_t index;
	bool ours; /* opened from here */
	const struct ikc_channel *own;
	const struct ikc_channel *other;
	const struct ikc_channel *opener;
};

static void channels_print(const struct channels_row *row)
{
	printf("%-12s %2u  %-7s %-7s  %-4s %5u %5u  0x%08x %6u  %6u %6u  %10llu %10llu %9llu\n", row->peer,
	       row->index, word_channel_state(ikc_load(&row->own->state)),
	       word_channel_state(ikc_load(&row->other->state)), row->ours ? "we" : "they",
	       ikc_load(&row->opener->to_port), ikc_load(&row->opener->from_port),
	       ikc_load(&row->opener->magic), ikc_load(&row->opener->packet_size),
	       ikc_load(&row->own->vector), ikc_load(&row->other->vector),
	       (unsigned long long)ikc_load(&row->own->sent),
	       (unsigned long long)ikc_load(&row->own->received),
	       (unsigned long long)ikc_load(&row->own->doorbells));
}

static void channels_print_json(const struct channels_row *row)
{
	printf("{\"peer\": \"%s\", \"index\": %u, \"state\": \"%s\", \"peer_state\": \"%s\", "
	       "\"opened_here\": %s, ", row->peer, row->index, word_channel_state(ikc_load(&row->own->state)),
	       word_channel_state(ikc_load(&row->other->state)), row->ours ? "true" : "false");
	printf("\"to_port\": %u, \"from_port\": %u, \"magic\": %u, \"packet_size\": %u, \"vector\": %u, "
	       "\"peer_vector\": %u, ", ikc_load(&row->opener->to_port), ikc_load(&row->opener->from_port),
	       ikc_load(&row->opener->magic), ikc_load(&row->opener->packet_size),
	       ikc_load(&row->own->vector), ikc_load(&row->other->vector));
	printf("\"sent\": %llu, \"received\": %llu, \"full\": %llu, \"doorbells\": %llu}\n",
	       (unsigned long long)ikc_load(&row->own->sent),
	       (unsigned long long)ikc_load(&row->own->received),
	       (unsigned long long)ikc_load(&row->own->full),
	       (unsigned long long)ikc_load(&row->own->doorbells));
}

static void channels_show_link(const struct device *device, uint32_t peer,
			       void (*print)(const struct channels_row *))
{
	uint32_t self = device->info.own_id;
	struct channels_row row;

	device_name(device, peer, row.peer);
	for (row.index = 0; row.index < IKC_CHANNELS; row.index++) {
		row.own = &ikc_half_at(&device->map, self, peer)->channels[row.index];
		row.other = &ikc_half_at(&device->map, peer, self)->channels[row.index];
		row.ours = (self < peer) == (row.index < IKC_CHANNELS / 2);
		row.opener = row.ours ? row.own : row.other;
		if (ikc_load(&row.own->state) != IKC_CHANNEL_FREE || ikc_load(&row.other->state) != IKC_CHANNEL_FREE)
			print(&row);
	}
}

int verb_channels(char **words)
{
	static const struct option_rule rules[] = { { "--json", false }, { 0 } };
	struct options options = options_read(words, rules, "");
	bool json = options.values[0];
	struct device device = device_open();
	uint32_t peer;

	if (!json)
		printf("%-12s %2s  %-7s %-7s  %-4s %5s %5s  %-10s %6s  %6s %6s  %10s %10s %9s\n", "CHANNEL TO",
		       "NO", "OURS", "THEIRS", "ASKS", "TO", "FROM", "MAGIC", "PACKET", "VECTOR", "THEIRS",
		       "SENT", "RECEIVED", "DOORBELLS");
	for (peer = 0; peer < device.info.partition_count; peer++)
		if (peer != device.info.own_id)
			channels_show_link(&device, peer, json ? channels_print_json : channels_print);
	return 0;
}
