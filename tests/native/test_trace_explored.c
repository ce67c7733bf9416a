/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a trace's writer and a reader, in a trace of two records that is written
 * several times over; the writer is killed at any moment and begins again. What is read is a record
 * as it was written, or counted as lost.
 */
#include "explore_atomic.h"
#include "ikc_layout.h"

#define IKC_TRACE_RECORDS 2
#include "ikc_trace.h"
#include "trace_reader.h"

#include <string.h>

#include "check.h"

#define TOTAL 5u
#define LENGTH 2u

enum { READER, WRITER, KILLER };

static struct ikc_trace shared;

struct locals {
	uint64_t at, lost, read; /* the reader's */
	uint32_t life;		 /* the writer's */
	uint32_t step;		 /* the killer's */
};

static uint32_t kills;

/* Every field tells which record of which life it belongs to. */
static struct ikc_trace_record record_of(uint64_t number, uint32_t life)
{
	uint8_t mark = (uint8_t)(number << 4 | life);

	return (struct ikc_trace_record){
		.stamp = number + 1,
		.time_ns = 0x100u + mark,
		.generation = life,
		.length = LENGTH,
		.to_port = 0x200u + mark,
		.data = { mark, (uint8_t)~mark },
	};
}

static void read_next(struct locals *own)
{
	struct ikc_trace_record got = { 0 }, due;
	uint64_t before = own->at, lost = own->lost;
	bool whole;

	explore_await_other(&shared.written, 8, own->at);
	whole = trace_next(&shared, &own->at, &got, &own->lost);
	own->read += whole;
	if (own->at < before || own->lost + own->read != own->at)
		explore_fail("a record is missing and not counted");
	if (own->lost != lost && explore_peek(&shared.written) < own->at - whole - 1 + IKC_TRACE_RECORDS)
		explore_fail("a record is lost that was not overwritten");
	if (whole) {
		due = record_of(own->at - 1, got.generation);
		if (memcmp(&got, &due, sizeof(got)) != 0)
			explore_fail("a record is torn");
	}
	if (own->at == TOTAL)
		explore_end();
}

static void write_next(struct locals *own)
{
	uint64_t number = ikc_load(&shared.written);
	struct ikc_trace_record record = record_of(number, own->life);
	struct ikc_passage passage = { .time_ns = record.time_ns, .generation = own->life };
	struct ikc_message message = { LENGTH, record.to_port, 0 };

	if (number == TOTAL)
		explore_end();
	else
		ikc_trace_write(&shared, &passage, &message, record.data);
}

static void kill_writer(struct locals *own)
{
	struct locals second = { .life = 2 };

	if (own->step == 0) {
		explore_wait(1);
	} else if (own->step == 1) {
		explore_kill(WRITER);
	} else {
		explore_start(WRITER, &second);
		explore_end();
	}
	own->step++;
}

static void run(uint32_t thread, void *locals)
{
	if (thread == READER)
		read_next(locals);
	else if (thread == WRITER)
		write_next(locals);
	else
		kill_writer(locals);
}

static void setup(void *const locals[])
{
	memset(&shared, 0, sizeof(shared));
	explore_arena(&shared, sizeof(shared));
	explore_word(&shared.written, 8, "written");
	for (uint32_t i = 0; i < IKC_TRACE_RECORDS; i++) {
		struct ikc_trace_record *record = &shared.records[i];

		explore_word(&record->stamp, 8, "record %u stamp", i);
		explore_word(&record->time_ns, 8, "record %u time", i);
		explore_word(&record->generation, 4, "record %u generation", i);
		explore_word(&record->length, 4, "record %u length", i);
		explore_word(&record->to_port, 2, "record %u port", i);
		for (uint32_t byte = 0; byte < LENGTH; byte++)
			explore_word(&record->data[byte], 1, "record %u byte %u", i, byte);
	}
	((struct locals *)locals[WRITER])->life = 1;
}

static void check_settled(void *const locals[])
{
	const struct locals *reader = locals[READER];

	if (reader->at != TOTAL)
		explore_fail("the reader waits for a record that was written");
}

static void explore_trace(const char *name, bool weak)
{
	struct explore_model model = {
		.name = name,
		.threads = 2 + kills,
		.thread_names = { "reader", "writer", "killer" },
		.locals_size = sizeof(struct locals),
		.weak_stores = weak,
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
	};

	explore_expect(&model, NULL);
}

static void test_trace_in_every_interleaving(void)
{
	kills = 0;
	explore_trace("reader and writer", false);
	explore_trace("reader and writer, weak stores", true);
}

static void test_trace_whose_writer_is_killed_at_any_moment(void)
{
	kills = 1;
	explore_trace("reader, and two lives of the writer", false);
	if (soaking())
		explore_trace("reader, and two lives of the writer, weak stores", true);
}

int main(void)
{
	RUN(test_trace_in_every_interleaving);
	RUN(test_trace_whose_writer_is_killed_at_any_moment);
	return 0;
}
