/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings between real threads that sleep for want of messages or of room, and wake each other by
 * doorbell.
 */
#include "ring_pair.h"

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "doorbell.h"
#include "ikc_stream.h"

#define GENERATION 0x00010001u

struct end {
	struct doorbell doorbell;
	pthread_mutex_t lock; /* of senders that share a ring */
};

struct way {
	struct ring_pair pair;
	struct end from, to;
	uint32_t sleeps[2];
};

static void way_create(struct way *way, uint32_t slot_count)
{
	memset(way, 0, sizeof(*way));
	pthread_mutex_init(&way->from.lock, NULL);
	ring_pair_create(&way->pair, slot_count, 0u - 300, GENERATION, 1);
}

/* One sender at a time: the lock is held from the look for room to the doorbell. */
static void send_or_sleep(struct way *way, uint16_t port, const uint8_t *payload, uint32_t length)
{
	struct ikc_sender *sender = &way->pair.sender;
	struct ikc_message message = { length, port, port };
	int err;

	pthread_mutex_lock(&way->from.lock);
	while ((err = ikc_send(sender, &message, payload)) == IKC_FULL) {
		ikc_sender_wait(sender, true);
		if (ikc_sender_room(sender) < (int)ikc_slots_for(length)) {
			way->sleeps[0]++;
			doorbell_sleep(&way->from.doorbell, "the sender");
		}
		ikc_sender_wait(sender, false);
	}
	CHECK_EQ(err, IKC_OK);
	if (ikc_receiver_sleeps(sender))
		doorbell_ring(&way->to.doorbell);
	pthread_mutex_unlock(&way->from.lock);
}

static void receive_or_sleep(struct way *way, struct ikc_message *message, uint8_t *payload)
{
	struct ikc_receiver *receiver = &way->pair.receiver;
	int err;

	while ((err = ikc_receive(receiver, message, payload, IKC_MESSAGE_MAX)) == IKC_EMPTY) {
		ikc_receiver_wait(receiver, true);
		if (!ikc_receiver_ready(receiver)) {
			way->sleeps[1]++;
			doorbell_sleep(&way->to.doorbell, "the receiver");
		}
		ikc_receiver_wait(receiver, false);
	}
	CHECK_EQ(err, IKC_OK);
	if (ikc_sender_sleeps(receiver))
		doorbell_ring(&way->from.doorbell);
}

struct sending {
	struct way *way;
	uint32_t seed;
	uint32_t count;
	uint16_t port;
};

static void *send_stream(void *argument)
{
	struct sending *sending = argument;
	uint8_t payload[IKC_MESSAGE_MAX];

	for (uint32_t n = 0; n < sending->count; n++) {
		uint32_t length = ikc_stream_make(sending->seed, n, payload);

		send_or_sleep(sending->way, sending->port, payload, length);
	}
	return NULL;
}

/* `senders` threads, each with a stream of its own, over one ring to this thread. */
static void stream_over_ring(uint32_t slot_count, uint32_t senders, uint32_t count)
{
	struct way way;
	struct sending sending[2];
	struct ikc_stream streams[2];
	pthread_t threads[2];
	uint8_t payload[IKC_MESSAGE_MAX];
	uint32_t running = senders;

	way_create(&way, slot_count);
	for (uint32_t i = 0; i < senders; i++) {
		sending[i] = (struct sending){ &way, 77 + i, count, (uint16_t)i };
		ikc_stream_begin(&streams[i], 77 + i, count);
		CHECK(!pthread_create(&threads[i], NULL, send_stream, &sending[i]));
	}
	while (running) {
		struct ikc_message message;

		receive_or_sleep(&way, &message, payload);
		CHECK(message.to_port < senders);
		running -= ikc_stream_take(&streams[message.to_port], payload, message.length);
	}
	for (uint32_t i = 0; i < senders; i++) {
		CHECK(!pthread_join(threads[i], NULL));
		CHECK_EQ(streams[i].fault, IKC_STREAM_FINE);
		CHECK_EQ(streams[i].next, count);
	}
	printf("   %u messages, the sender slept %u times, the receiver %u times\n",
	       senders * count, way.sleeps[0], way.sleeps[1]);
	ring_pair_destroy(&way.pair);
}

static void test_ring_loses_no_message_and_no_wake_up(void)
{
	stream_over_ring(IKC_DATA_SLOTS, 1, soaking() ? 1000000 : 20000);
}

/* Room for one of the largest messages: the sender sleeps nearly as often as the receiver. */
static void test_ring_loses_no_wake_up_of_its_sender(void)
{
	stream_over_ring(64, 1, soaking() ? 1000000 : 20000);
}

static void test_ring_keeps_each_senders_order_under_a_lock(void)
{
	stream_over_ring(64, 2, soaking() ? 500000 : 10000);
}

struct ping_pong {
	struct way there, back;
	uint32_t count;
};

static void *answer(void *argument)
{
	struct ping_pong *game = argument;
	uint8_t payload[IKC_MESSAGE_MAX];

	for (uint32_t n = 0; n < game->count; n++) {
		struct ikc_message message;

		receive_or_sleep(&game->there, &message, payload);
		send_or_sleep(&game->back, message.from_port, payload, message.length);
	}
	return NULL;
}

/* With one message under way, every one of them finds its receiver asleep or about to sleep. */
static void test_ring_loses_no_wake_up_with_one_message_under_way(void)
{
	struct ping_pong game = { .count = soaking() ? 1000000 : 10000 };
	uint8_t payload[IKC_MESSAGE_MAX];
	pthread_t other;

	way_create(&game.there, 32);
	way_create(&game.back, 32);
	CHECK(!pthread_create(&other, NULL, answer, &game));
	for (uint32_t n = 0; n < game.count; n++) {
		struct ikc_message message;
		uint32_t value = 0;

		send_or_sleep(&game.there, 1, (const uint8_t *)&n, sizeof(n));
		receive_or_sleep(&game.back, &message, payload);
		CHECK_EQ(message.length, sizeof(n));
		memcpy(&value, payload, sizeof(n));
		CHECK_EQ(value, n);
	}
	CHECK(!pthread_join(other, NULL));
	printf("   %u round trips, %u and %u sleeps\n", game.count, game.there.sleeps[1],
	       game.back.sleeps[1]);
	ring_pair_destroy(&game.there.pair);
	ring_pair_destroy(&game.back.pair);
}

int main(void)
{
	RUN(test_ring_loses_no_message_and_no_wake_up);
	RUN(test_ring_loses_no_wake_up_of_its_sender);
	RUN(test_ring_keeps_each_senders_order_under_a_lock);
	RUN(test_ring_loses_no_wake_up_with_one_message_under_way);
	return 0;
}
