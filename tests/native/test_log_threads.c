/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel log read while it is written. */
#include "log_check.h"

#include <pthread.h>

struct race {
	struct ikc_log *log;
	uint64_t bytes;
};

static void *write_for_a_while(void *argument)
{
	struct race *race = argument;
	uint64_t random = 5;

	while (race->log->written < race->bytes)
		write_bytes(race->log, random_next(&random) % 1024);
	return NULL;
}

static void test_log_reader_never_sees_text_that_was_not_written(void)
{
	struct guarded memory;
	struct ikc_log *log = log_create(&memory);
	struct race race = { log, (soaking() ? 512ull : 6ull) << 20 };
	uint64_t random = 7, at = 0, lost, lost_total = 0, read_total = 0;
	pthread_t writer;

	CHECK(!pthread_create(&writer, NULL, write_for_a_while, &race));
	while (at < race.bytes) {
		uint32_t capacity =
			random_next(&random) % 16 ? random_next(&random) % 8192 : sizeof(buffer);

		read_total += read_and_check(log, &at, capacity, &lost) - lost;
		lost_total += lost;
	}
	pthread_join(writer, NULL);
	while (read_and_check(log, &at, sizeof(buffer), &lost))
		;
	printf("   read %llu bytes, lost %llu\n", (unsigned long long)read_total,
	       (unsigned long long)lost_total);
	CHECK(read_total > 0);
	guarded_destroy(&memory);
}

int main(void)
{
	RUN(test_log_reader_never_sees_text_that_was_not_written);
	return 0;
}
