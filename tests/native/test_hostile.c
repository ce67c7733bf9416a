/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel whose peer writes anything at any time: it stays in its bounds and in its senses, and
 * recovers.
 */
#include "hostile_atomic.h"
#include "ikc_link.h"
#include "ikc_log.h"

#include <string.h>

#include "check.h"
#include "region_pair.h"

enum { OWN, PEER, COUNT };

static struct {
	struct guarded memory;
	struct ikc_map maps[COUNT]; /* of the kernel under test, and of its peer */
	struct ikc_link link;
	struct ikc_half *own_half, *half; /* of the kernel under test, and of its peer */
	struct ikc_mailbox *mailbox;
	bool writes_everywhere; /* also into words of others, as a kernel gone astray may */
	bool quiet;
	uint64_t random;
	uint64_t loads;
} world;

static uint32_t chance(uint32_t bound)
{
	return (uint32_t)(random_next(&world.random) >> 32) % bound;
}

/* Values that get past a check more often than noise does. */
static uint64_t plausible_number(void)
{
	const struct ikc_link *link = &world.link;
	const uint64_t numbers[] = {
		0, 1, UINT32_MAX, IKC_MESSAGE_MAX, IKC_MESSAGE_MAX + 1, chance(5000), chance(4),
		link->generation, link->peer_generation,
		(uint64_t)link->peer_generation << 32 | link->generation,
		link->senders[chance(2)].head - chance(3),
		link->receivers[chance(2)].tail + chance(3),
		random_next(&world.random),
	};

	return numbers[chance(sizeof(numbers) / sizeof(numbers[0]))];
}

/* A message at the place and with the stamps that the kernel waits for, but of any length. */
static void forge_message(void)
{
	uint32_t kind = chance(2);
	const struct ikc_receiver *receiver = &world.link.receivers[kind];
	struct ikc_slot *slots = kind == IKC_RING_CONTROL ? world.half->control : world.half->data;
	uint32_t count = chance(receiver->slot_count + 1);

	for (uint32_t i = 0; i < count; i++) {
		struct ikc_slot *slot = &slots[(receiver->tail + i) & (receiver->slot_count - 1)];

		slot->stamp = ikc_stamp(receiver->generation, receiver->tail + i);
		slot->length = chance(3) ? chance(count * IKC_SLOT_DATA + 300)
					 : (uint32_t)plausible_number();
	}
}

static void behave_like_a_peer(void)
{
	world.half->lives = (uint64_t)(world.mailbox->incarnation << 16 | (1 + chance(3))) << 32 |
			    world.link.generation;
	world.half->state = IKC_LINK_READY + chance(2);
}

static void scribble(void)
{
	uint8_t *from = (uint8_t *)&ikc_partition_at(&world.maps[PEER], OWN)->status;
	uint64_t size = world.memory.size - (uint64_t)(from - (uint8_t *)world.memory.at[PEER]);
	uint64_t value = plausible_number();

	memcpy((uint8_t *)world.memory.at[PEER] + chance(sizeof(struct ikc_region) / 8) * 8, &value,
	       sizeof(value));
	value = plausible_number();
	memcpy(from + (random_next(&world.random) % (size / 8)) * 8, &value, sizeof(value));
	value = plausible_number();
	memcpy((uint8_t *)world.own_half + chance(sizeof(struct ikc_half) / 8) * 8, &value,
	       sizeof(value));
}

static void peer_acts(void)
{
	struct ikc_cursor *cursor = &world.half->cursors[chance(2)];

	switch (chance(16)) {
	case 0:
		world.half->lives = plausible_number();
		break;
	case 1:
		world.half->state = chance(6);
		break;
	case 2 ... 3:
		cursor->tail = (uint32_t)plausible_number();
		break;
	case 4:
		cursor->receiver_waits = cursor->sender_waits = (uint32_t)plausible_number();
		break;
	case 5 ... 8:
		forge_message();
		break;
	case 9:
		world.mailbox->alive = chance(16) > 0;
		break;
	case 10:
		if (world.writes_everywhere)
			scribble();
		break;
	default:
		behave_like_a_peer();
	}
}

void peer_moves(const void *word, size_t size)
{
	uint64_t value = plausible_number();
	bool its_own = (const uint8_t *)word >= (const uint8_t *)world.half &&
		       (const uint8_t *)word < (const uint8_t *)(world.half + 1);

	world.loads++;
	if (world.quiet)
		return;
	if (its_own && !chance(4))
		memcpy((void *)(uintptr_t)word, &value, size);
	if (!chance(4))
		peer_acts();
}

static struct {
	uint32_t runs, sent, full, bad_tail, received, empty, too_large, bad_length;
} seen;

static void send_something(uint8_t *payload)
{
	struct ikc_sender *sender = &world.link.senders[chance(2)];
	uint32_t largest = ikc_ring_message_max(sender->slot_count);
	struct ikc_message message = { chance(4) ? chance(300) : chance(largest + 2), 1, 1 };
	uint32_t head = sender->head;
	/* The payload ends where memory does. */
	int err = ikc_send(sender, &message, payload + IKC_MESSAGE_MAX - message.length);

	if (message.length > largest)
		CHECK_EQ(err, IKC_TOO_LARGE);
	CHECK_EQ(sender->head - head, err == IKC_OK ? ikc_slots_for(message.length) : 0);
	seen.sent += err == IKC_OK;
	seen.full += err == IKC_FULL;
	if (err == IKC_BAD_TAIL) {
		seen.bad_tail++;
		ikc_link_fault(&world.link, IKC_RESET_BAD_TAIL);
		CHECK_EQ(world.link.state, IKC_LINK_RESET);
	}
	CHECK(err == IKC_OK || err == IKC_FULL || err == IKC_TOO_LARGE || err == IKC_BAD_TAIL);
}

static void receive_something(uint8_t *buffer)
{
	struct ikc_receiver *receiver = &world.link.receivers[chance(2)];
	uint32_t capacity = chance(2) ? IKC_MESSAGE_MAX : chance(IKC_MESSAGE_MAX + 1);
	struct ikc_message message = { .length = UINT32_MAX };
	uint32_t tail = receiver->tail;
	int err = ikc_receive(receiver, &message, buffer + IKC_MESSAGE_MAX - capacity, capacity);

	CHECK_EQ(receiver->tail - tail, err == IKC_OK ? ikc_slots_for(message.length) : 0);
	if (err == IKC_OK) {
		seen.received++;
		CHECK(message.length <= capacity);
	} else if (err == IKC_TOO_LARGE) {
		seen.too_large++;
		CHECK(message.length > capacity && message.length <= IKC_MESSAGE_MAX);
	} else if (err == IKC_BAD_LENGTH) {
		seen.bad_length++;
		ikc_link_fault(&world.link, IKC_RESET_BAD_LENGTH);
		CHECK_EQ(world.link.state, IKC_LINK_RESET);
	} else {
		CHECK_EQ(err, IKC_EMPTY);
		seen.empty++;
	}
}

static void settle_bounded(void)
{
	uint64_t loads = world.loads;
	bool was_running = world.link.state == IKC_LINK_RUN;

	ikc_link_settle(&world.link);
	CHECK(world.loads - loads <= 4 * 5);
	CHECK(world.link.state <= IKC_LINK_RUN);
	seen.runs += !was_running && world.link.state == IKC_LINK_RUN;
}

static void world_create(bool writes_everywhere)
{
	memset(&world, 0, sizeof(world));
	memset(&seen, 0, sizeof(seen));
	world.random = 17;
	world.memory = region_create(COUNT);
	monitor_begins_life(&world.memory, OWN);
	monitor_begins_life(&world.memory, PEER);
	/* The peer is another kernel: it writes through its own mapping. */
	world.maps[OWN] = map_of(&world.memory, OWN);
	world.maps[PEER] = map_of(&world.memory, PEER);
	world.half = ikc_half_at(&world.maps[OWN], PEER, OWN);
	world.own_half = ikc_half_at(&world.maps[PEER], OWN, PEER);
	world.mailbox = &ikc_partition_at(&world.maps[OWN], PEER)->mailbox;
	world.writes_everywhere = writes_everywhere;
	ikc_link_init(&world.link, &world.maps[OWN], OWN, PEER, 1);
}

/* An honest kernel in the peer's place: both must come to RUN, whatever was left in the region. */
static void peer_comes_to_its_senses(void)
{
	struct ikc_link honest;

	world.quiet = true;
	begin_life(world.mailbox);
	ikc_link_init(&honest, &world.maps[OWN], PEER, OWN, world.mailbox->incarnation);
	for (int i = 0; i < 10; i++) {
		ikc_link_settle(&honest);
		ikc_link_settle(&world.link);
	}
	CHECK_EQ(honest.state, IKC_LINK_RUN);
	CHECK_EQ(world.link.state, IKC_LINK_RUN);
}

static void suffer(bool writes_everywhere)
{
	uint8_t *payload = guarded_end(IKC_MESSAGE_MAX), *buffer = guarded_end(IKC_MESSAGE_MAX);
	uint32_t rounds = soaking() ? 20000000 : 1000000;

	world_create(writes_everywhere);
	for (uint32_t round = 0; round < rounds; round++) {
		if (world.link.state != IKC_LINK_RUN || !chance(8))
			settle_bounded();
		else if (chance(2))
			send_something(payload);
		else
			receive_something(buffer);
	}
	printf("   %u runs; sent %u, full %u, bad tail %u; ", seen.runs, seen.sent, seen.full,
	       seen.bad_tail);
	printf("received %u, too large %u, bad length %u\n", seen.received, seen.too_large,
	       seen.bad_length);
	CHECK(seen.runs > 100 && seen.sent > 100 && seen.full > 100 && seen.bad_tail > 100);
	CHECK(seen.received > 100 && seen.too_large > 100 && seen.bad_length > 100);
	peer_comes_to_its_senses();
}

static void test_hostile_peer_harms_nobody_with_its_own_words(void)
{
	suffer(false);
	guarded_destroy(&world.memory);
}

static void test_hostile_peer_harms_nobody_with_the_words_of_others(void)
{
	suffer(true);
	guarded_destroy(&world.memory);
}

static void test_hostile_log_writer_harms_no_reader(void)
{
	static char text[4096];
	struct ikc_log *log;
	uint64_t at = 0, lost;

	world_create(false);
	log = &ikc_partition_at(&world.maps[PEER], PEER)->log;
	for (uint32_t round = 0; round < 1000; round++) {
		uint32_t capacity = chance(sizeof(text));

		log->written = chance(2) ? log->written + chance(100000) : plausible_number();
		log->reserved = chance(2) ? log->written + chance(100000) : plausible_number();
		CHECK(ikc_log_read(log, &at, text + sizeof(text) - capacity, capacity, &lost) <=
		      capacity);
	}
	guarded_destroy(&world.memory);
}

int main(void)
{
	RUN(test_hostile_peer_harms_nobody_with_its_own_words);
	RUN(test_hostile_peer_harms_nobody_with_the_words_of_others);
	RUN(test_hostile_log_writer_harms_no_reader);
	return 0;
}
