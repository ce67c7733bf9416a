/* SPDX-License-Identifier: Apache-2.0 */
/* A trace of messages as its reader sees it. */
#include "ikc_trace.h"

#include <string.h>

#include "check.h"
#include "guarded.h"
#include "trace_reader.h"

#define TRACE_PAGES ((sizeof(struct ikc_trace) + IKC_PAGE_SIZE - 1) / IKC_PAGE_SIZE)

/* The last record ends where the memory does. */
static struct ikc_trace *trace_create(struct guarded *memory)
{
	*memory = guarded_create(TRACE_PAGES * IKC_PAGE_SIZE);
	return (struct ikc_trace *)((char *)memory->at[0] + memory->size - sizeof(struct ikc_trace));
}

static void write_message(struct ikc_trace *trace, uint32_t number, uint32_t length)
{
	const struct ikc_passage passage = { number * 1000ull, 0x30001, 7, 5, IKC_TRACE_TAKEN };
	const struct ikc_message message = { length, 256, (uint16_t)number };
	uint8_t *payload = guarded_end(length); /* no more of it may be read than there is */

	memset(payload, (int)(number & 0xff), length);
	ikc_trace_write(trace, &passage, &message, payload);
}

static void test_trace_is_written_only_when_asked_for(void)
{
	static struct ikc_partition partition;

	CHECK(!ikc_trace_wanted(&partition));
	partition.mailbox.trace = 1;
	CHECK(ikc_trace_wanted(&partition));
}

static void test_trace_has_what_passed(void)
{
	static const uint32_t lengths[] = { 0, 1, IKC_TRACE_DATA - 1, IKC_TRACE_DATA,
					    IKC_TRACE_DATA + 1, IKC_MESSAGE_MAX };
	const uint32_t count = sizeof(lengths) / sizeof(lengths[0]);
	struct guarded memory;
	struct ikc_trace *trace = trace_create(&memory);
	struct ikc_trace_record got;
	uint64_t at = 0, lost = 0;

	for (uint32_t i = 0; i < count; i++)
		write_message(trace, i, lengths[i]);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(trace_next(trace, &at, &got, &lost));
		CHECK_EQ(got.time_ns, i * 1000);
		CHECK_EQ(got.generation, 0x30001);
		CHECK_EQ(got.length, lengths[i]);
		CHECK_EQ(got.peer, 7);
		CHECK_EQ(got.ring, 5);
		CHECK_EQ(got.direction, IKC_TRACE_TAKEN);
		CHECK_EQ(got.to_port, 256);
		CHECK_EQ(got.from_port, i);
		for (uint32_t byte = 0; byte < lengths[i] && byte < IKC_TRACE_DATA; byte++)
			CHECK_EQ(got.data[byte], i);
	}
	CHECK(!trace_next(trace, &at, &got, &lost));
	CHECK_EQ(lost, 0);
	guarded_destroy(&memory);
}

static void test_trace_keeps_the_newest_records(void)
{
	const uint32_t count = 3 * IKC_TRACE_RECORDS + 5;
	struct guarded memory;
	struct ikc_trace *trace = trace_create(&memory);
	struct ikc_trace_record got;
	uint64_t at = 0, lost = 0;

	for (uint32_t i = 0; i < count; i++)
		write_message(trace, i, 4);
	for (uint32_t i = count - IKC_TRACE_RECORDS; i < count; i++) {
		CHECK(trace_next(trace, &at, &got, &lost));
		CHECK_EQ(got.time_ns, i * 1000ull);
	}
	CHECK(!trace_next(trace, &at, &got, &lost));
	CHECK_EQ(lost, count - IKC_TRACE_RECORDS);
	guarded_destroy(&memory);
}

/* It goes on where the life before ended; the record in which that died is written again. */
static void test_trace_goes_on_in_the_next_life(void)
{
	struct guarded memory;
	struct ikc_trace *trace = trace_create(&memory);
	struct ikc_trace_record got;
	uint64_t at = 0, lost = 0;

	write_message(trace, 0, 4);
	trace->records[1].stamp = 0;
	trace->records[1].time_ns = 4711;
	CHECK(trace_next(trace, &at, &got, &lost));
	CHECK(!trace_next(trace, &at, &got, &lost));
	write_message(trace, 1, 4);
	CHECK(trace_next(trace, &at, &got, &lost));
	CHECK_EQ(got.time_ns, 1000);
	CHECK_EQ(lost, 0);
	guarded_destroy(&memory);
}

/* `written` may be anything, also to the writer that reads it back: both stay in the trace. */
static void test_trace_of_a_spoilt_count_harms_nobody(void)
{
	static const uint64_t counts[] = { 1, IKC_TRACE_RECORDS - 1, IKC_TRACE_RECORDS,
					   UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX };
	struct guarded memory;
	struct ikc_trace *trace = trace_create(&memory);
	struct ikc_trace_record got;

	for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint64_t at = 0, lost = 0;

		trace->written = counts[i];
		while (trace_next(trace, &at, &got, &lost))
			CHECK(lost < counts[i]);
		CHECK_EQ(at, counts[i]);
		write_message(trace, 9, 16);
	}
	guarded_destroy(&memory);
}

int main(void)
{
	RUN(test_trace_is_written_only_when_asked_for);
	RUN(test_trace_has_what_passed);
	RUN(test_trace_keeps_the_newest_records);
	RUN(test_trace_goes_on_in_the_next_life);
	RUN(test_trace_of_a_spoilt_count_harms_nobody);
	return 0;
}
