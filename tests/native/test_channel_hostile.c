/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel whose peer changes what it says of channels, rings and loans after every load: it stays
 * in its bounds, does a bounded piece of work at each look, keeps its pages, and resets the link
 * with BAD_CHANNEL where the protocol says so.
 */
#include "hostile_atomic.h"
#include "ikc_channel.h"
#include "ikc_pool.h"

#include <string.h>

#include "check.h"
#include "region_pair.h"

enum { OWN, PEER, COUNT };

struct use {
	bool may_take, may_send;
	struct ikc_sender sender;
	struct ikc_receiver receiver;
	struct ikc_loans loans;
};

static struct {
	struct guarded memory;
	struct ikc_link link;
	struct ikc_channels channels;
	struct use uses[IKC_CHANNELS];
	struct ikc_pool pool;
	struct ikc_half *half; /* the peer's */
	uint8_t *peer_pool;
	bool quiet;
	uint64_t random, loads;
	uint32_t seen[IKC_CHANNEL_BROKEN + 1];
	uint32_t lent, taken, references, bad_references, resets[IKC_RESET_BAD_CHANNEL + 1];
} world;

static uint32_t chance(uint32_t bound)
{
	return (uint32_t)(random_next(&world.random) >> 32) % bound;
}

/* ---- the peer ---- */

static uint32_t plausible_number(void)
{
	const struct ikc_channel_end *end = &world.channels.ends[chance(IKC_CHANNELS)];
	const uint32_t numbers[] = { 0, 1, UINT32_MAX, end->life, end->life + 1, end->head, end->head - 1,
				     chance(8), chance(5000), (uint32_t)random_next(&world.random) };

	return numbers[chance(sizeof(numbers) / sizeof(numbers[0]))];
}

/* What an honest peer may say next, by the state that the end under test is in. */
static uint32_t honest_state(uint32_t index)
{
	static const uint8_t ours[][2] = {
		[IKC_CHANNEL_FREE] = { IKC_CHANNEL_FREE, IKC_CHANNEL_FREE },
		[IKC_CHANNEL_OPENING] = { IKC_CHANNEL_OPEN, IKC_CHANNEL_REFUSED },
		[IKC_CHANNEL_OPEN] = { IKC_CHANNEL_OPEN, IKC_CHANNEL_OPEN },
		[IKC_CHANNEL_CLOSED] = { IKC_CHANNEL_CLOSED, IKC_CHANNEL_OPEN },
	};
	static const uint8_t theirs[][2] = {
		[IKC_CHANNEL_FREE] = { IKC_CHANNEL_FREE, IKC_CHANNEL_OPENING },
		[IKC_CHANNEL_OPEN] = { IKC_CHANNEL_OPEN, IKC_CHANNEL_OPEN },
		[IKC_CHANNEL_REFUSED] = { IKC_CHANNEL_FREE, IKC_CHANNEL_CLOSED },
		[IKC_CHANNEL_CLOSED] = { IKC_CHANNEL_FREE, IKC_CHANNEL_CLOSED },
	};
	enum ikc_channel_state state = world.channels.ends[index].state;

	return ikc_channel_is_ours(&world.channels, index) ? ours[state][chance(2)]
							   : theirs[state][chance(2)];
}

static void say_something(uint32_t index)
{
	struct ikc_channel *words = &world.half->channels[index];

	words->life = world.channels.ends[index].life;
	words->state = honest_state(index);
	if (!chance(200))
		words->state = chance(2) ? IKC_CHANNEL_CLOSED : plausible_number();
	if (!chance(2000))
		words->life = plausible_number();
	words->start = plausible_number();
	words->vector = plausible_number();
	world.half->channel_turn++;
}

static void forge_packet(void)
{
	uint32_t index = chance(IKC_CHANNELS);
	const struct ikc_receiver *receiver = &world.uses[index].receiver;
	struct ikc_slot *slot = &world.half->channel_slots[index][receiver->tail % IKC_CHANNEL_SLOTS];
	struct ikc_reference reference = { chance(3) ? chance(IKC_POOL_SIZE) : random_next(&world.random),
					   chance(3) ? chance(9000) : plausible_number(), 0 };

	slot->stamp = ikc_stamp(receiver->generation, receiver->tail);
	slot->length = chance(4) ? sizeof(reference) : plausible_number();
	slot->to_port = (uint16_t)(chance(8) ? IKC_PACKET_LENT : plausible_number());
	memcpy(slot->data, &reference, sizeof(reference));
}

static void move_tail(void)
{
	uint32_t index = chance(IKC_CHANNELS);
	uint32_t head = world.uses[index].sender.head;

	world.half->channel_cursors[index].tail = chance(200) ? head - chance(2) : plausible_number();
}

void peer_moves(const void *word, size_t size)
{
	uint64_t value = plausible_number();
	bool a_channels = (const uint8_t *)word >= (const uint8_t *)world.half->channels &&
			  (const uint8_t *)word < (const uint8_t *)(world.half + 1);

	world.loads++;
	if (world.quiet)
		return;
	if (a_channels && !chance(2000))
		memcpy((void *)(uintptr_t)word, &value, size);
	for (uint32_t index = 0; index < IKC_CHANNELS; index++)
		say_something(index);
	if (!chance(3))
		forge_packet();
	if (!chance(3))
		move_tail();
}

/* ---- the kernel under test ---- */

static void all_are_gone(void)
{
	for (uint32_t index = 0; index < IKC_CHANNELS; index++) {
		struct use *use = &world.uses[index];

		if (use->may_take)
			ikc_loans_end(&use->loans, &world.pool, &use->sender);
		memset(use, 0, sizeof(*use));
	}
	for (uint32_t page = 0; page < IKC_POOL_PAGES; page++)
		CHECK(!ikc_pool_is_used(&world.pool, page));
}

/* The peer is well but for its channels: its link comes back at once. */
static void link_comes_back(void)
{
	uint32_t generation = ikc_generation_after(1, (uint32_t)(world.half->lives >> 32));

	all_are_gone();
	world.quiet = true;
	for (uint32_t i = 0; i < 4; i++) {
		world.half->lives = (uint64_t)generation << 32 | world.link.generation;
		world.half->state = IKC_LINK_READY;
		ikc_link_settle(&world.link);
	}
	world.quiet = false;
	CHECK_EQ(world.link.state, IKC_LINK_RUN);
	ikc_channels_begin(&world.channels);
}

static void fault(enum ikc_reset_reason reason)
{
	ikc_link_fault(&world.link, reason);
	CHECK_EQ(world.link.state, IKC_LINK_RESET);
	CHECK_EQ(world.link.own->reset_reason, reason);
	world.resets[reason]++;
	link_comes_back();
}

static void begin_use(uint32_t index, bool may_send)
{
	struct use *use = &world.uses[index];

	use->may_take = true;
	use->may_send = may_send;
	ikc_loans_begin(&use->loans, &use->sender);
}

static void close_channel(uint32_t index)
{
	enum ikc_channel_state state = world.channels.ends[index].state;
	struct use *use = &world.uses[index];

	if (state == IKC_CHANNEL_OPENING || state == IKC_CHANNEL_OPEN)
		ikc_channel_close(&world.channels, index, use->may_take ? &use->sender : NULL);
}

static void answer(uint32_t index)
{
	struct use *use = &world.uses[index];

	if (!chance(4)) {
		ikc_channel_refuse(&world.channels, index, IKC_REFUSAL_PORT);
		return;
	}
	ikc_channel_accept(&world.channels, index, IKC_VECTOR_CHANNEL, &use->sender, &use->receiver);
	begin_use(index, false);
}

static void look(uint32_t index)
{
	struct use *use = &world.uses[index];
	struct ikc_terms terms = { 0 };
	uint64_t loads = world.loads;
	enum ikc_channel_news news = ikc_channel_look(&world.channels, index, &terms);
	bool ours = ikc_channel_is_ours(&world.channels, index);

	CHECK(world.loads - loads <= 8);
	world.seen[news]++;
	switch (news) {
	case IKC_CHANNEL_ASKED:
		CHECK(!ours);
		answer(index);
		break;
	case IKC_CHANNEL_ACCEPTED:
		CHECK(ours);
		ikc_channel_confirm(&world.channels, index, &use->sender, &use->receiver);
		begin_use(index, true);
		break;
	case IKC_CHANNEL_OPENED:
		CHECK(use->may_take && !use->may_send);
		use->may_send = true;
		break;
	case IKC_CHANNEL_ENDED:
		close_channel(index);
		break;
	case IKC_CHANNEL_GONE:
		if (use->may_take)
			ikc_loans_end(&use->loans, &world.pool, &use->sender);
		memset(use, 0, sizeof(*use));
		break;
	case IKC_CHANNEL_BROKEN:
		fault(IKC_RESET_BAD_CHANNEL);
		break;
	default:
		break;
	}
}

static void look_at_all(void)
{
	uint64_t loads = world.loads;

	ikc_channels_changed(&world.channels);
	CHECK_EQ(world.loads - loads, 1);
	for (uint32_t index = 0; index < IKC_CHANNELS; index++)
		look(index);
}

static bool is_open(uint32_t index)
{
	return world.channels.ends[index].state == IKC_CHANNEL_OPEN;
}

static void lend_something(uint32_t index)
{
	struct use *use = &world.uses[index];
	uint32_t pages = 1 + chance(3);
	int first, result = ikc_loans_reap(&use->loans, &world.pool, &use->sender);

	if (result == IKC_OK) {
		first = ikc_pool_take(&world.pool, pages);
		if (first == IKC_FULL)
			return;
		result = ikc_lend(&use->loans, &use->sender, (uint32_t)first, pages * IKC_PAGE_SIZE);
		if (result != IKC_OK)
			ikc_pool_give(&world.pool, (uint32_t)first, pages);
		world.lent += result == IKC_OK;
	}
	CHECK(result == IKC_OK || result == IKC_FULL || result == IKC_BAD_TAIL);
	if (result == IKC_BAD_TAIL)
		fault(IKC_RESET_BAD_TAIL);
}

static void use_reference(const struct ikc_message *message, const uint8_t *payload)
{
	static uint8_t copy[IKC_POOL_SIZE];
	uint32_t length;
	const uint8_t *at = ikc_lent(world.peer_pool, message, payload, &length);

	if (!at) {
		world.bad_references++;
		return;
	}
	memcpy(copy, at, length);
	world.references++;
}

static void take_something(uint32_t index, uint8_t *buffer)
{
	struct ikc_receiver *receiver = &world.uses[index].receiver;
	struct ikc_message message;
	uint32_t tail = receiver->tail;
	int result = ikc_peek(receiver, &message, buffer, IKC_MESSAGE_MAX);

	CHECK_EQ(receiver->tail, tail);
	if (result == IKC_BAD_LENGTH) {
		fault(IKC_RESET_BAD_LENGTH);
	} else if (result == IKC_OK) {
		if (message.to_port == IKC_PACKET_LENT)
			use_reference(&message, buffer);
		ikc_take(receiver, &message);
		CHECK_EQ(receiver->tail - tail, ikc_slots_for(message.length));
		world.taken++;
	}
}

static void do_something(uint8_t *buffer)
{
	static const struct ikc_terms terms = { 300, 40000, 4711, 512 };
	uint32_t index = chance(IKC_CHANNELS);

	switch (chance(16)) {
	case 0:
		index = (uint32_t)ikc_channel_open(&world.channels, &terms, IKC_VECTOR_CHANNEL);
		CHECK((int)index == IKC_FULL || index < IKC_CHANNELS);
		break;
	case 1:
		close_channel(index);
		break;
	case 2:
		look_at_all();
		break;
	case 3 ... 8:
		if (is_open(index) && world.uses[index].may_send)
			lend_something(index);
		break;
	default:
		if (is_open(index))
			take_something(index, buffer);
	}
	CHECK(ikc_channel_vector(&world.channels, index % IKC_CHANNELS) < IKC_VECTORS);
}

static void world_create(void)
{
	struct ikc_map map;

	memset(&world, 0, sizeof(world));
	world.random = 23;
	world.quiet = true;
	world.memory = region_create(COUNT);
	map = map_of(&world.memory, OWN);
	monitor_begins_life(&world.memory, OWN);
	monitor_begins_life(&world.memory, PEER);
	world.half = ikc_half_at(&map, PEER, OWN);
	/* Not the one in the region, behind which there is more. */
	world.peer_pool = guarded_end(IKC_POOL_SIZE);
	ikc_link_init(&world.link, &map, OWN, PEER, 1);
	ikc_channels_init(&world.channels, &world.link);
	link_comes_back();
}

static void test_hostile_words_about_channels_harm_nobody(void)
{
	uint8_t *buffer = guarded_end(IKC_MESSAGE_MAX);
	uint32_t rounds = soaking() ? 2000000 : 150000;

	world_create();
	for (uint32_t round = 0; round < rounds; round++)
		do_something(buffer);
	printf("   ");
	for (uint32_t news = 0; news <= IKC_CHANNEL_BROKEN; news++)
		printf("news %u: %u; ", news, world.seen[news]);
	printf("lent %u, taken %u, references %u good, %u bad; bad tail %u, bad length %u\n", world.lent,
	       world.taken, world.references, world.bad_references, world.resets[IKC_RESET_BAD_TAIL],
	       world.resets[IKC_RESET_BAD_LENGTH]);
	for (uint32_t news = 0; news <= IKC_CHANNEL_BROKEN; news++)
		CHECK(world.seen[news] > 100);
	CHECK(world.lent > 100 && world.taken > 100 && world.references > 100);
	CHECK(world.bad_references > 100 && world.resets[IKC_RESET_BAD_TAIL] > 100);
	CHECK(world.resets[IKC_RESET_BAD_LENGTH] > 100);
	all_are_gone();
	guarded_destroy(&world.memory);
}

int main(void)
{
	RUN(test_hostile_words_about_channels_harm_nobody);
	return 0;
}
