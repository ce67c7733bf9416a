/* SPDX-License-Identifier: Apache-2.0 */
/* One ring, step by step: order, wrap-around, room, sizes, and what each broken word leads to. */
#include "ring_pair.h"

#include <string.h>

#include "check.h"

#define GENERATION 0x00030007u

static uint8_t sent[IKC_MESSAGE_MAX];
static uint8_t *taken; /* IKC_MESSAGE_MAX bytes with nothing behind them */

static struct ikc_message message_of(uint32_t length, uint32_t number)
{
	return (struct ikc_message){ length, (uint16_t)number, (uint16_t)~number };
}

static int send_number(struct ring_pair *pair, uint32_t length, uint32_t number)
{
	struct ikc_message message = message_of(length, number);

	memset(sent, (int)number, length);
	return ikc_send(&pair->sender, &message, sent);
}

static void take_number(struct ring_pair *pair, uint32_t length, uint32_t number)
{
	struct ikc_message message;
	/* The buffer ends where the payload does: one byte more than announced faults. */
	uint8_t *buffer = taken + IKC_MESSAGE_MAX - length;

	CHECK_EQ(ikc_receive(&pair->receiver, &message, buffer, length), IKC_OK);
	CHECK_EQ(message.length, length);
	CHECK_EQ(message.to_port, (uint16_t)number);
	CHECK_EQ(message.from_port, (uint16_t)~number);
	for (uint32_t i = 0; i < length; i++)
		CHECK_EQ(buffer[i], (uint8_t)number);
}

static int receive_any(struct ring_pair *pair)
{
	struct ikc_message message;

	return ikc_receive(&pair->receiver, &message, taken, IKC_MESSAGE_MAX);
}

static void test_ring_carries_every_length_across_the_end_of_the_index(void)
{
	struct ring_pair pair;

	ring_pair_create(&pair, IKC_DATA_SLOTS, 0u - 1000, GENERATION, 2);
	for (uint32_t length = 0; length <= IKC_MESSAGE_MAX; length++) {
		CHECK_EQ(send_number(&pair, length, length), IKC_OK);
		take_number(&pair, length, length);
	}
	CHECK(pair.sender.head < 0u - 1000);
	CHECK_EQ(receive_any(&pair), IKC_EMPTY);
	ring_pair_destroy(&pair);
}

static void test_ring_keeps_order_at_every_distance_of_its_ends(void)
{
	struct ring_pair pair;
	uint64_t random = 1;
	uint32_t lengths[1 << 16], sends = 0, receives = 0;

	ring_pair_create(&pair, 32, 0u - 5000, GENERATION, 2);
	while (receives < 20000) {
		bool full = false;

		while (!full && random_next(&random) % 8) {
			uint32_t length = random_next(&random) % 600;

			lengths[sends & 0xffff] = length;
			full = send_number(&pair, length, sends) == IKC_FULL;
			sends += !full;
		}
		while (receives < sends && random_next(&random) % 8) {
			take_number(&pair, lengths[receives & 0xffff], receives);
			receives++;
		}
	}
	ring_pair_destroy(&pair);
}

static void test_ring_fills_to_its_last_slot_and_not_further(void)
{
	struct ring_pair pair;
	struct ikc_slot before[32];

	ring_pair_create(&pair, 32, 0u - 7, GENERATION, 2);
	for (uint32_t i = 0; i < 32; i++) {
		CHECK_EQ(ikc_sender_room(&pair.sender), 32 - i);
		CHECK_EQ(send_number(&pair, 1, i), IKC_OK);
	}
	memcpy(before, pair.slots.at[0], sizeof(before));
	CHECK_EQ(send_number(&pair, 0, 99), IKC_FULL);
	CHECK(!memcmp(before, pair.slots.at[0], sizeof(before)));
	take_number(&pair, 1, 0);
	CHECK_EQ(send_number(&pair, IKC_SLOT_DATA + 1, 98), IKC_FULL);
	CHECK_EQ(send_number(&pair, IKC_SLOT_DATA, 32), IKC_OK);
	for (uint32_t i = 1; i < 32; i++)
		take_number(&pair, 1, i);
	take_number(&pair, IKC_SLOT_DATA, 32);
	ring_pair_destroy(&pair);
}

static void test_ring_refuses_what_is_too_large(void)
{
	struct ring_pair pair;

	ring_pair_create(&pair, IKC_DATA_SLOTS, 0, GENERATION, 2);
	CHECK_EQ(ikc_send(&pair.sender, &(struct ikc_message){ IKC_MESSAGE_MAX + 1, 1, 1 }, sent),
		 IKC_TOO_LARGE);
	CHECK_EQ(ikc_send(&pair.sender, &(struct ikc_message){ UINT32_MAX, 1, 1 }, sent),
		 IKC_TOO_LARGE);
	pair.sender.slot_count = IKC_CONTROL_SLOTS;
	CHECK_EQ(send_number(&pair, IKC_CONTROL_SLOTS * IKC_SLOT_DATA + 1, 1), IKC_TOO_LARGE);
	CHECK_EQ(send_number(&pair, IKC_CONTROL_SLOTS * IKC_SLOT_DATA, 1), IKC_OK);
	ring_pair_destroy(&pair);
}

static void test_ring_keeps_a_message_that_the_buffer_cannot_take(void)
{
	struct ring_pair pair;
	struct ikc_message message;

	ring_pair_create(&pair, 32, 0, GENERATION, 2);
	CHECK_EQ(send_number(&pair, 300, 5), IKC_OK);
	CHECK_EQ(ikc_receive(&pair.receiver, &message, taken, 299), IKC_TOO_LARGE);
	CHECK_EQ(message.length, 300);
	take_number(&pair, 300, 5);
	ring_pair_destroy(&pair);
}

static void test_ring_carries_an_empty_message_without_payload(void)
{
	struct ring_pair pair;
	struct ikc_message message = message_of(0, 3);

	ring_pair_create(&pair, 32, 0, GENERATION, 2);
	CHECK_EQ(ikc_send(&pair.sender, &message, NULL), IKC_OK);
	CHECK(ikc_receiver_ready(&pair.receiver));
	CHECK_EQ(ikc_receive(&pair.receiver, &message, NULL, 0), IKC_OK);
	CHECK_EQ(message.length, 0);
	ring_pair_destroy(&pair);
}

static void test_ring_takes_nothing_of_another_life_or_lap(void)
{
	struct ring_pair pair;

	ring_pair_create(&pair, 32, 0, GENERATION, 2);
	for (uint32_t i = 0; i < 32; i++)
		CHECK_EQ(send_number(&pair, 8, i), IKC_OK);
	for (uint32_t i = 0; i < 32; i++)
		take_number(&pair, 8, i);
	CHECK_EQ(receive_any(&pair), IKC_EMPTY);

	pair.receiver.generation = GENERATION + 1;
	pair.receiver.tail = 0;
	CHECK(!ikc_receiver_ready(&pair.receiver));
	CHECK_EQ(receive_any(&pair), IKC_EMPTY);
	ring_pair_destroy(&pair);
}

/* At once, or when the room that was seen is used up. */
static void test_ring_finds_a_tail_that_cannot_be(void)
{
	struct ring_pair pair;
	uint32_t count = 8;
	int result;

	ring_pair_create(&pair, 32, 0u - 3, GENERATION, 2);
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQ(send_number(&pair, 8, i), IKC_OK);
	pair.receiver.own->tail = pair.sender.head + 33;
	CHECK_EQ(ikc_sender_room(&pair.sender), IKC_BAD_TAIL);
	while ((result = send_number(&pair, 8, count)) == IKC_OK)
		count++;
	CHECK_EQ(result, IKC_BAD_TAIL);
	CHECK_EQ(count, 32);
	pair.receiver.own->tail = pair.sender.head - 33;
	CHECK_EQ(send_number(&pair, 8, 9), IKC_BAD_TAIL);
	pair.receiver.own->tail = pair.sender.head;
	CHECK_EQ(ikc_sender_room(&pair.sender), 32);
	ring_pair_destroy(&pair);
}

static void test_ring_finds_a_length_that_was_not_published(void)
{
	struct ring_pair pair;
	struct ikc_slot *slots;
	static const uint32_t lengths[] = { 2 * IKC_SLOT_DATA + 1, 32 * IKC_SLOT_DATA,
					    32 * IKC_SLOT_DATA + 1, IKC_MESSAGE_MAX + 1,
					    UINT32_MAX };

	ring_pair_create(&pair, 32, 0, GENERATION, 2);
	slots = pair.slots.at[0];
	CHECK_EQ(send_number(&pair, 2 * IKC_SLOT_DATA, 7), IKC_OK);
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		slots[0].length = lengths[i];
		CHECK_EQ(receive_any(&pair), IKC_BAD_LENGTH);
	}
	CHECK_EQ(pair.receiver.tail, 0);
	slots[0].length = 2 * IKC_SLOT_DATA;
	slots[1].stamp ^= 1;
	CHECK_EQ(receive_any(&pair), IKC_BAD_LENGTH);
	ring_pair_destroy(&pair);
}

static void test_ring_tells_when_a_doorbell_is_due(void)
{
	struct ring_pair pair;

	ring_pair_create(&pair, 32, 0, GENERATION, 2);
	CHECK(!ikc_receiver_sleeps(&pair.sender) && !ikc_sender_sleeps(&pair.receiver));
	ikc_receiver_wait(&pair.receiver, true);
	CHECK(ikc_receiver_sleeps(&pair.sender) && !ikc_sender_sleeps(&pair.receiver));
	ikc_receiver_wait(&pair.receiver, false);
	ikc_sender_wait(&pair.sender, true);
	CHECK(!ikc_receiver_sleeps(&pair.sender) && ikc_sender_sleeps(&pair.receiver));
	ikc_sender_wait(&pair.sender, false);
	CHECK(!ikc_sender_sleeps(&pair.receiver));
	ring_pair_destroy(&pair);
}

static void test_ring_shows_onlookers_where_it_is(void)
{
	struct ring_pair pair;

	ring_pair_create(&pair, 32, 40, GENERATION, 2);
	CHECK_EQ(send_number(&pair, 3 * IKC_SLOT_DATA, 1), IKC_OK);
	CHECK_EQ(pair.sender.own->head, 43);
	CHECK_EQ(pair.receiver.own->tail, 40);
	take_number(&pair, 3 * IKC_SLOT_DATA, 1);
	CHECK_EQ(pair.receiver.own->tail, 43);
	ring_pair_destroy(&pair);
}

int main(void)
{
	taken = guarded_end(IKC_MESSAGE_MAX);
	RUN(test_ring_carries_every_length_across_the_end_of_the_index);
	RUN(test_ring_keeps_order_at_every_distance_of_its_ends);
	RUN(test_ring_fills_to_its_last_slot_and_not_further);
	RUN(test_ring_refuses_what_is_too_large);
	RUN(test_ring_keeps_a_message_that_the_buffer_cannot_take);
	RUN(test_ring_carries_an_empty_message_without_payload);
	RUN(test_ring_takes_nothing_of_another_life_or_lap);
	RUN(test_ring_finds_a_tail_that_cannot_be);
	RUN(test_ring_finds_a_length_that_was_not_published);
	RUN(test_ring_tells_when_a_doorbell_is_due);
	RUN(test_ring_shows_onlookers_where_it_is);
	return 0;
}
