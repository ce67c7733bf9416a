/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of a trace, as docs/ikc-protocol.md, "Trace", tells it to read. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include "ikc_layout.h"

/* Copies record `number`; false if it is not there, or not any more. */
static inline bool trace_copy(const struct ikc_trace *trace, uint64_t number,
			      struct ikc_trace_record *copy)
{
	const struct ikc_trace_record *record = &trace->records[number % IKC_TRACE_RECORDS];
	uint32_t i;

	if (ikc_load_acquire(&record->stamp) != number + 1)
		return false;
	copy->time_ns = ikc_load_acquire(&record->time_ns);
	copy->generation = ikc_load_acquire(&record->generation);
	copy->length = ikc_load_acquire(&record->length);
	copy->peer = ikc_load_acquire(&record->peer);
	copy->ring = ikc_load_acquire(&record->ring);
	copy->direction = ikc_load_acquire(&record->direction);
	copy->to_port = ikc_load_acquire(&record->to_port);
	copy->from_port = ikc_load_acquire(&record->from_port);
	for (i = 0; i < copy->length && i < IKC_TRACE_DATA; i++)
		copy->data[i] = ikc_load_acquire(&record->data[i]);
	copy->stamp = ikc_load(&record->stamp);
	return copy->stamp == number + 1;
}

/*
 * Reads the next record from number *at on: true, or false if there is none now. *lost counts those
 * that were overwritten. `written` is the writer's and may be nonsense: no more than all records are
 * looked at.
 */
static inline bool trace_next(const struct ikc_trace *trace, uint64_t *at,
			      struct ikc_trace_record *copy, uint64_t *lost)
{
	uint64_t written = ikc_load_acquire(&trace->written);

	if (*at > written)
		*at = 0; /* another trace */
	if (written - *at > IKC_TRACE_RECORDS) {
		*lost += written - IKC_TRACE_RECORDS - *at;
		*at = written - IKC_TRACE_RECORDS;
	}
	while (*at != written) {
		if (trace_copy(trace, (*at)++, copy))
			return true;
		++*lost;
	}
	return false;
}

#endif
