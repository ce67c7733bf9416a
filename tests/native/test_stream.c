/* SPDX-License-Identifier: Apache-2.0 */
/* Checked streams: the generator's messages pass, and every kind of damage is found. */
#include "ikc_stream.h"

#include <stdbool.h>
#include <string.h>

#include "check.h"

#define SEED 0xdecade
#define COUNT 1000u

static uint8_t message[IKC_MESSAGE_MAX];

/* Feeds messages 0 to COUNT - 1 of `order`, made with `seed`, to a checker of the stream SEED. */
static struct ikc_stream check_stream(const uint32_t *order, uint32_t seed)
{
	struct ikc_stream stream;

	ikc_stream_begin(&stream, SEED, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		uint32_t length = ikc_stream_make(seed, order[i], message);

		CHECK_EQ(ikc_stream_take(&stream, message, length), i == COUNT - 1);
	}
	return stream;
}

static void in_order(uint32_t *order)
{
	for (uint32_t i = 0; i < COUNT; i++)
		order[i] = i;
}

static void test_stream_as_made_is_fine(void)
{
	uint32_t order[COUNT];
	struct ikc_stream stream;
	uint64_t bytes = 0;

	in_order(order);
	stream = check_stream(order, SEED);
	for (uint32_t i = 0; i < COUNT; i++)
		bytes += ikc_stream_length(SEED, i);
	CHECK_EQ(stream.fault, IKC_STREAM_FINE);
	CHECK_EQ(stream.next, COUNT);
	CHECK_EQ(stream.bytes, bytes);
}

static void test_stream_mixes_lengths_from_least_to_largest(void)
{
	uint32_t least = 0, largest = 0, slots[IKC_MESSAGE_MAX / IKC_SLOT_DATA + 2] = { 0 },
		 kinds = 0;

	for (uint32_t n = 0; n < 10000; n++) {
		uint32_t length = ikc_stream_length(SEED, n);

		CHECK(length >= sizeof(struct ikc_stream_data) && length <= IKC_MESSAGE_MAX);
		least += length == sizeof(struct ikc_stream_data);
		largest += length == IKC_MESSAGE_MAX;
		slots[length / IKC_SLOT_DATA]++;
	}
	for (uint32_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
		kinds += slots[i] > 0;
	CHECK(least > 100 && largest > 100);
	CHECK_EQ(kinds, IKC_MESSAGE_MAX / IKC_SLOT_DATA + 1);
}

static void test_stream_checksum_is_crc32c(void)
{
	static const uint8_t zeros[32];

	/* RFC 3720, appendix B.4; and the check value of the catalogue of parametrised CRCs. */
	CHECK_EQ(ikc_crc32c(0, zeros, 32), 0x8a9136aau);
	CHECK_EQ(ikc_crc32c(0, (const uint8_t *)"123456789", 9), 0xe3069283u);
}

static void test_stream_finds_a_lost_message(void)
{
	uint32_t order[COUNT];
	struct ikc_stream stream;

	in_order(order);
	memmove(order + 500, order + 501, (COUNT - 501) * sizeof(order[0]));
	stream = check_stream(order, SEED);
	CHECK_EQ(stream.fault, IKC_STREAM_OUT_OF_ORDER);
	CHECK_EQ(stream.fault_at, 500);
}

static void test_stream_finds_a_message_that_came_twice(void)
{
	uint32_t order[COUNT];
	struct ikc_stream stream;

	in_order(order);
	memmove(order + 501, order + 500, (COUNT - 501) * sizeof(order[0]));
	stream = check_stream(order, SEED);
	CHECK_EQ(stream.fault, IKC_STREAM_OUT_OF_ORDER);
	CHECK_EQ(stream.fault_at, 501);
}

static void test_stream_finds_swapped_messages(void)
{
	uint32_t order[COUNT];
	struct ikc_stream stream;

	in_order(order);
	order[7] = 8;
	order[8] = 7;
	stream = check_stream(order, SEED);
	CHECK_EQ(stream.fault, IKC_STREAM_OUT_OF_ORDER);
	CHECK_EQ(stream.fault_at, 7);
}

/* A message of a stream with another seed has the right number, and at times the right length. */
static void test_stream_finds_a_message_of_another_stream(void)
{
	uint32_t checksums = 0;

	for (uint32_t seed = SEED + 1; seed < SEED + 10000; seed++) {
		struct ikc_stream stream;
		uint32_t length = ikc_stream_make(seed, 0, message);

		ikc_stream_begin(&stream, SEED, COUNT);
		ikc_stream_take(&stream, message, length);
		CHECK(stream.fault == IKC_STREAM_BAD_LENGTH ||
		      stream.fault == IKC_STREAM_BAD_CHECKSUM);
		checksums += stream.fault == IKC_STREAM_BAD_CHECKSUM;
	}
	CHECK(checksums > 0);
}

static void test_stream_finds_every_flipped_bit(void)
{
	for (uint32_t n = 0; n < 64; n++) {
		uint32_t length = ikc_stream_make(SEED, n, message);

		for (uint32_t bit = 0; bit < length * 8; bit += length > 500 ? 13 : 1) {
			struct ikc_stream stream;

			ikc_stream_begin(&stream, SEED, COUNT);
			stream.next = n;
			message[bit / 8] ^= 1 << bit % 8;
			ikc_stream_take(&stream, message, length);
			message[bit / 8] ^= 1 << bit % 8;
			CHECK(stream.fault != IKC_STREAM_FINE);
			CHECK_EQ(stream.fault_at, n);
		}
	}
}

static void test_stream_finds_a_wrong_length(void)
{
	struct ikc_stream stream;
	uint32_t length = ikc_stream_make(SEED, 0, message);

	for (uint32_t wrong = 0; wrong <= IKC_MESSAGE_MAX; wrong++) {
		if (wrong == length)
			continue;
		ikc_stream_begin(&stream, SEED, COUNT);
		ikc_stream_take(&stream, message, wrong);
		CHECK_EQ(stream.fault, IKC_STREAM_BAD_LENGTH);
	}
}

static void test_stream_reports_its_first_fault(void)
{
	struct ikc_stream stream;

	ikc_stream_begin(&stream, SEED, 3);
	ikc_stream_take(&stream, message, 3);
	ikc_stream_take(&stream, message, ikc_stream_make(SEED, 7, message));
	CHECK(ikc_stream_take(&stream, message, ikc_stream_make(SEED, 2, message)));
	CHECK_EQ(stream.fault, IKC_STREAM_BAD_LENGTH);
	CHECK_EQ(stream.fault_at, 0);
}

int main(void)
{
	RUN(test_stream_as_made_is_fine);
	RUN(test_stream_mixes_lengths_from_least_to_largest);
	RUN(test_stream_checksum_is_crc32c);
	RUN(test_stream_finds_a_lost_message);
	RUN(test_stream_finds_a_message_that_came_twice);
	RUN(test_stream_finds_swapped_messages);
	RUN(test_stream_finds_a_message_of_another_stream);
	RUN(test_stream_finds_every_flipped_bit);
	RUN(test_stream_finds_a_wrong_length);
	RUN(test_stream_reports_its_first_fault);
	return 0;
}
