/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a log's writer and a reader, in a log of four bytes that is written three
 * times over; the writer is killed at any moment and begins again. What is read is what was written
 * there, or counted as lost.
 */
#include "explore_atomic.h"
#include "ikc_layout.h"

#define IKC_LOG_SIZE 4
#include "ikc_log.h"

#include <string.h>

#include "check.h"

#define TOTAL 10u

enum { READER, WRITER, KILLER };

static struct ikc_log shared;

struct locals {
	uint64_t at;	   /* the reader's */
	uint32_t capacity; /* of its buffer */
	uint32_t length;   /* of the writer's next text */
	uint32_t step;	   /* the killer's */
};

static uint32_t capacity, kills;
static bool weak_stores;

static char byte_at(uint64_t position)
{
	return (char)('a' + position);
}

static void read_some(struct locals *own)
{
	char buffer[IKC_LOG_SIZE];
	uint64_t before = own->at, lost;
	uint32_t count;

	explore_await_other(&shared.written, 8, own->at);
	count = ikc_log_read(&shared, &own->at, buffer, own->capacity, &lost);
	if (before + lost + count != own->at)
		explore_fail("text is missing and not counted");
	for (uint32_t i = 0; i < count; i++)
		if (buffer[i] != byte_at(own->at - count + i))
			explore_fail("text that was not written there");
	if (own->at == TOTAL)
		explore_end();
}

static void write_some(struct locals *own)
{
	uint64_t at = ikc_load(&shared.written);
	uint32_t length = own->length < TOTAL - at ? own->length : (uint32_t)(TOTAL - at);
	char text[IKC_LOG_SIZE];

	if (!length) {
		explore_end();
		return;
	}
	for (uint32_t i = 0; i < length; i++)
		text[i] = byte_at(at + i);
	ikc_log_write(&shared, text, length);
	own->length = own->length % 3 + 1;
}

static void kill_writer(struct locals *own)
{
	struct locals second = { .length = 1 };

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
		read_some(locals);
	else if (thread == WRITER)
		write_some(locals);
	else
		kill_writer(locals);
}

static void setup(void *const locals[])
{
	struct locals *reader = locals[READER], *writer = locals[WRITER];

	memset(&shared, 0, sizeof(shared));
	explore_arena(&shared, sizeof(shared));
	explore_word(&shared.reserved, 8, "reserved");
	explore_word(&shared.written, 8, "written");
	for (uint32_t i = 0; i < IKC_LOG_SIZE; i++)
		explore_word(&shared.data[i], 1, "byte %u", i);
	reader->capacity = capacity;
	writer->length = 3;
}

static void check_settled(void *const locals[])
{
	const struct locals *reader = locals[READER];

	if (reader->at != TOTAL)
		explore_fail("the reader waits for text that was written");
}

static void explore_log(const char *name)
{
	struct explore_model model = {
		.name = name,
		.threads = 2 + kills,
		.thread_names = { "reader", "writer", "killer" },
		.locals_size = sizeof(struct locals),
		.weak_stores = weak_stores,
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
	};

	explore_expect(&model, NULL);
}

static void test_log_in_every_interleaving(void)
{
	kills = 0;
	for (capacity = 1; capacity <= IKC_LOG_SIZE; capacity++)
		explore_log("reader and writer");
}

static void test_log_whose_writer_is_killed_at_any_moment(void)
{
	kills = 1;
	for (capacity = 1; capacity <= IKC_LOG_SIZE; capacity += 3)
		explore_log("reader, and two lives of the writer");
}

int main(void)
{
	RUN(test_log_in_every_interleaving);
	RUN(test_log_whose_writer_is_killed_at_any_moment);
	weak_stores = true;
	RUN(test_log_in_every_interleaving);
	RUN(test_log_whose_writer_is_killed_at_any_moment);
	return 0;
}
