/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A record of each message that passes, while the monitor asks for it (docs/ikc-protocol.md, "Trace").
 * One writer at a time: the caller's lock. What it costs when nobody asks is one load.
 */
#ifndef IKC_TRACE_H
#define IKC_TRACE_H

#include "ikc_ring.h"

static inline bool ikc_trace_wanted(const struct ikc_partition *own)
{
	return ikc_load(&own->mailbox.trace) != 0;
}

/* All of a record but its payload and its stamp; ring as in struct ikc_trace_record. */
struct ikc_passage {
	uint64_t time_ns;
	uint32_t generation;
	uint16_t peer;
	uint16_t ring;
	enum ikc_trace_direction direction;
};

/*
 * Writes one record. `payload` is the message's private copy. A reader sees the stamp, reads, and sees the
 * same stamp again, or the record is not that one any more.
 */
static inline void ikc_trace_write(struct ikc_trace *trace, const struct ikc_passage *passage,
				   const struct ikc_message *message, const void *payload)
{
	uint64_t number = ikc_load(&trace->written);
	struct ikc_trace_record *record = &trace->records[number % IKC_TRACE_RECORDS];
	const uint8_t *bytes = (const uint8_t *)payload;
	uint32_t i, kept = message->length < IKC_TRACE_DATA ? message->length : IKC_TRACE_DATA;

	ikc_store_ordered(&record->stamp, 0);
	/* Each word is released: who reads one of them also sees that the stamp has gone. */
	ikc_store_release(&record->time_ns, passage->time_ns);
	ikc_store_release(&record->generation, passage->generation);
	ikc_store_release(&record->length, message->length);
	ikc_store_release(&record->peer, passage->peer);
	ikc_store_release(&record->ring, passage->ring);
	ikc_store_release(&record->direction, (uint16_t)passage->direction);
	ikc_store_release(&record->to_port, message->to_port);
	ikc_store_release(&record->from_port, message->from_port);
	for (i = 0; i < kept; i++)
		ikc_store_release(&record->data[i], bytes[i]);
	ikc_store_ordered(&record->stamp, number + 1);
	ikc_store_release(&trace->written, number + 1);
}

#endif
