/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel log: text comes back in order, what is lost is counted, and nothing is ever invented.
 */
#include "log_check.h"

#include <string.h>

static void test_log_gives_back_what_was_written(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	uint64_t at = 0, lost;

	ikc_log_write(log, "one\n", 4);
	ikc_log_write(log, "", 0);
	ikc_log_write(log, "two\n", 4);
	CHECK_EQ(ikc_log_read(log, &at, buffer, 6, &lost), 6);
	CHECK(!memcmp(buffer, "one\ntw", 6) && !lost);
	CHECK_EQ(ikc_log_read(log, &at, buffer, sizeof(buffer), &lost), 2);
	CHECK(!memcmp(buffer, "o\n", 2) && !lost);
	CHECK_EQ(ikc_log_read(log, &at, buffer, sizeof(buffer), &lost), 0);
	guarded_destroy(&memory);
}

static void test_log_counts_what_was_overwritten_unread(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	uint64_t at = 0, lost, total = 0;

	while (log->written < 5 * IKC_LOG_SIZE / 2)
		write_bytes(log, 1000);
	total = log->written;
	CHECK_EQ(read_and_check(log, &at, sizeof(buffer), &lost), total);
	CHECK_EQ(lost, total - IKC_LOG_SIZE);
	guarded_destroy(&memory);
}

static void test_log_keeps_the_end_of_a_text_larger_than_itself(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	static char large[IKC_LOG_SIZE + 5];
	uint64_t at = 0, lost;

	memset(large, 'x', sizeof(large));
	memcpy(large + sizeof(large) - 3, "end", 3);
	ikc_log_write(log, large, sizeof(large));
	CHECK_EQ(ikc_log_read(log, &at, buffer, sizeof(buffer), &lost), IKC_LOG_SIZE);
	CHECK(!memcmp(buffer + IKC_LOG_SIZE - 3, "end", 3));
	guarded_destroy(&memory);
}

/*
 * A writer was killed after it had reserved and scribbled, before it said "written"; the next life
 * goes on.
 */
static void test_log_of_a_killed_writer_shows_none_of_its_half_line(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	uint64_t at = 0, lost;

	while (log->written < IKC_LOG_SIZE)
		write_bytes(log, 1024);
	log->reserved = log->written + 500;
	memset(&log->data[log->written % IKC_LOG_SIZE], '!', 500);
	CHECK_EQ(read_and_check(log, &at, sizeof(buffer), &lost), IKC_LOG_SIZE);
	CHECK_EQ(lost, 500);

	write_bytes(log, 100);
	at = 0;
	read_and_check(log, &at, sizeof(buffer), &lost);
	CHECK_EQ(lost, 500);
	guarded_destroy(&memory);
}

static void test_log_reader_follows_a_log_that_began_anew(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	uint64_t at = 12345, lost;

	ikc_log_write(log, "new", 3);
	CHECK_EQ(ikc_log_read(log, &at, buffer, sizeof(buffer), &lost), 3);
	CHECK(!memcmp(buffer, "new", 3));
	CHECK_EQ(at, 3);
	guarded_destroy(&memory);
}

static void test_log_stays_in_bounds_whatever_its_positions_say(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	uint64_t random = 3, at = 0, lost;

	for (int round = 0; round < 3000; round++) {
		uint32_t capacity = random_next(&random) % 3000;
		char *end = buffer + sizeof(buffer) - capacity;
		unsigned int shift = random_next(&random) % 64;

		log->written = random_next(&random) >> shift;
		log->reserved = random_next(&random) % 4
					? log->written + random_next(&random) % 300000
					: random_next(&random);
		if (random_next(&random) % 2)
			at = random_next(&random) >> random_next(&random) % 64;
		CHECK(ikc_log_read(log, &at, end, capacity, &lost) <= capacity);
		if (random_next(&random) % 2)
			write_bytes(log, random_next(&random) % 1024);
	}
	guarded_destroy(&memory);
}

int main(void)
{
	RUN(test_log_gives_back_what_was_written);
	RUN(test_log_counts_what_was_overwritten_unread);
	RUN(test_log_keeps_the_end_of_a_text_larger_than_itself);
	RUN(test_log_of_a_killed_writer_shows_none_of_its_half_line);
	RUN(test_log_reader_follows_a_log_that_began_anew);
	RUN(test_log_stays_in_bounds_whatever_its_positions_say);
	return 0;
}
