/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake of a link, step by step, and over a long random life of both ends. */
#include "ikc_link.h"

#include <string.h>

#include "check.h"
#include "region_pair.h"

enum { HOST, LWK, COUNT };

/* Two kernels and the region between them; kernel i sees it at memory.at[i]. */
struct node {
	struct guarded memory;
	struct ikc_link ends[COUNT];
};

static void boot(struct node *node, uint32_t id)
{
	struct ikc_map map = map_of(&node->memory, id);
	uint32_t incarnation;

	monitor_begins_life(&node->memory, id);
	incarnation = ikc_load_acquire(&mailbox_of(&node->memory, id)->incarnation);
	memset(&node->ends[id], 0xa5, sizeof(node->ends[id]));
	ikc_link_init(&node->ends[id], &map, id, COUNT - 1 - id, incarnation);
}

/* As if every doorbell came at once: until neither end has anything to do. */
static void settle(struct node *node)
{
	bool moved = true;

	for (int rounds = 0; moved; rounds++) {
		CHECK(rounds < 10);
		moved = ikc_link_settle(&node->ends[HOST]);
		moved |= ikc_link_settle(&node->ends[LWK]);
	}
}

static struct node node_create(void)
{
	struct node node = { .memory = region_create(COUNT) };

	boot(&node, HOST);
	boot(&node, LWK);
	return node;
}

static void check_run(const struct node *node)
{
	for (uint32_t id = 0; id < COUNT; id++) {
		const struct ikc_link *own = &node->ends[id], *peer = &node->ends[COUNT - 1 - id];

		CHECK_EQ(own->state, IKC_LINK_RUN);
		CHECK_EQ(own->peer_generation, peer->generation);
		CHECK_EQ(own->own->state, IKC_LINK_RUN);
		CHECK_EQ(own->own->lives, (uint64_t)own->generation << 32 | peer->generation);
	}
}

static int send_text(struct ikc_link *link, enum ikc_ring_kind ring, const char *text)
{
	struct ikc_message message = { (uint32_t)strlen(text), 1, 2 };

	return ikc_send(&link->senders[ring], &message, text);
}

static int receive_text(struct ikc_link *link, enum ikc_ring_kind ring,
			char text[static IKC_MESSAGE_MAX + 1])
{
	struct ikc_message message;
	int err = ikc_receive(&link->receivers[ring], &message, text, IKC_MESSAGE_MAX);

	text[err ? 0 : message.length] = '\0';
	return err;
}

static void test_link_goes_through_its_states_to_run(void)
{
	struct node node = { .memory = region_create(COUNT) };
	struct ikc_link *host = &node.ends[HOST], *lwk = &node.ends[LWK];

	boot(&node, HOST);
	CHECK_EQ(host->state, IKC_LINK_RESET);
	CHECK(!ikc_link_step(host)); /* waits for the peer to live and to write */
	boot(&node, LWK);
	CHECK(ikc_link_step(host));
	CHECK_EQ(host->state, IKC_LINK_INIT);
	CHECK(!ikc_link_step(host)); /* waits for the peer to adopt this life */
	CHECK(ikc_link_step(lwk) && ikc_link_step(lwk));
	CHECK_EQ(lwk->state, IKC_LINK_READY);
	CHECK(!ikc_link_step(lwk)); /* waits for the peer to be READY */
	CHECK(ikc_link_step(host) && ikc_link_step(host));
	CHECK_EQ(host->state, IKC_LINK_RUN);
	CHECK(ikc_link_step(lwk));
	check_run(&node);
	CHECK(!ikc_link_step(host) && !ikc_link_step(lwk));
	guarded_destroy(&node.memory);
}

static void test_link_carries_messages_on_both_rings_both_ways(void)
{
	struct node node = node_create();
	char text[IKC_MESSAGE_MAX + 1];

	settle(&node);
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK_EQ(send_text(&node.ends[id], IKC_RING_CONTROL, "control"), IKC_OK);
		CHECK_EQ(send_text(&node.ends[id], IKC_RING_DATA, "data"), IKC_OK);
	}
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK_EQ(receive_text(&node.ends[id], IKC_RING_DATA, text), IKC_OK);
		CHECK(!strcmp(text, "data"));
		CHECK_EQ(receive_text(&node.ends[id], IKC_RING_CONTROL, text), IKC_OK);
		CHECK(!strcmp(text, "control"));
	}
	guarded_destroy(&node.memory);
}

static void test_link_of_a_dead_peer_goes_to_reset(void)
{
	struct node node = node_create();
	struct ikc_link *host = &node.ends[HOST];

	settle(&node);
	monitor_ends_life(&node.memory, LWK);
	CHECK(ikc_link_settle(host));
	CHECK_EQ(host->state, IKC_LINK_RESET);
	CHECK_EQ(host->own->reset_reason, IKC_RESET_PEER_DEAD);
	CHECK(!ikc_link_settle(host));
	guarded_destroy(&node.memory);
}

static void restart_and_check(bool seen_dead)
{
	struct node node = node_create();
	char text[IKC_MESSAGE_MAX + 1];

	settle(&node);
	CHECK_EQ(send_text(&node.ends[LWK], IKC_RING_DATA, "of the old life"), IKC_OK);
	CHECK_EQ(send_text(&node.ends[HOST], IKC_RING_DATA, "to the old life"), IKC_OK);
	if (seen_dead) {
		monitor_ends_life(&node.memory, LWK);
		ikc_link_settle(&node.ends[HOST]);
	}
	boot(&node, LWK);
	settle(&node);
	check_run(&node);
	for (uint32_t id = 0; id < COUNT; id++)
		CHECK_EQ(receive_text(&node.ends[id], IKC_RING_DATA, text), IKC_EMPTY);
	CHECK_EQ(send_text(&node.ends[LWK], IKC_RING_DATA, "new"), IKC_OK);
	CHECK_EQ(receive_text(&node.ends[HOST], IKC_RING_DATA, text), IKC_OK);
	CHECK(!strcmp(text, "new"));
	CHECK_EQ(node.ends[HOST].own->reset_reason,
		 seen_dead ? IKC_RESET_PEER_DEAD : IKC_RESET_PEER_RESET);
	guarded_destroy(&node.memory);
}

static void test_link_comes_back_after_a_restart_and_delivers_nothing_old(void)
{
	restart_and_check(true);
}

static void test_link_comes_back_after_a_restart_that_nobody_saw(void)
{
	restart_and_check(false);
}

static void test_link_end_set_up_twice_in_one_life_is_a_new_generation(void)
{
	struct node node = node_create();
	struct ikc_map map = map_of(&node.memory, HOST);
	struct ikc_link *host = &node.ends[HOST];
	uint32_t before;

	settle(&node);
	before = host->generation;
	ikc_link_reset(host, IKC_RESET_LOCAL);
	ikc_link_init(host, &map, HOST, LWK, host->incarnation);
	CHECK_EQ(host->generation, before + 2);
	settle(&node);
	check_run(&node);
	CHECK_EQ(node.ends[LWK].own->reset_reason, IKC_RESET_PEER_RESET);
	guarded_destroy(&node.memory);
}

static void test_link_ignores_what_an_earlier_life_of_the_peer_left(void)
{
	struct node node = node_create();
	struct ikc_map map = map_of(&node.memory, 0);
	struct ikc_half *left = ikc_half_at(&map, LWK, HOST);

	settle(&node);
	monitor_begins_life(&node.memory, LWK); /* its kernel has not written yet */
	CHECK_EQ(left->state, IKC_LINK_RUN);
	ikc_link_settle(&node.ends[HOST]);
	CHECK_EQ(node.ends[HOST].state, IKC_LINK_RESET);
	guarded_destroy(&node.memory);
}

static void test_link_finds_a_peer_that_takes_back_its_word(void)
{
	struct node node = node_create();
	struct ikc_link *lwk = &node.ends[LWK];

	settle(&node);
	lwk->own->lives ^= 1; /* another generation of ours than it had adopted */
	CHECK(ikc_link_settle(&node.ends[HOST]));
	CHECK_EQ(node.ends[HOST].own->reset_reason, IKC_RESET_BAD_STATE);
	guarded_destroy(&node.memory);
}

static void test_link_blames_a_peer_for_a_bad_tail(void)
{
	struct node node = node_create();
	struct ikc_link *host = &node.ends[HOST];

	settle(&node);
	node.ends[LWK].own->cursors[IKC_RING_DATA].tail = 1;
	CHECK_EQ(send_text(host, IKC_RING_DATA, "x"), IKC_BAD_TAIL);
	ikc_link_fault(host, IKC_RESET_BAD_TAIL);
	CHECK_EQ(host->state, IKC_LINK_RESET);
	CHECK_EQ(host->own->reset_reason, IKC_RESET_BAD_TAIL);
	CHECK_EQ(host->own->counters.resets, 2);
	settle(&node);
	check_run(&node);
	CHECK_EQ(send_text(host, IKC_RING_DATA, "x"), IKC_OK);
	guarded_destroy(&node.memory);
}

/* The restarted peer's tail is 0 again before this end has noticed: nobody's fault. */
static void test_link_does_not_blame_a_restarted_peer_for_its_tail(void)
{
	struct node node = node_create();
	struct ikc_link *host = &node.ends[HOST];
	char text[IKC_MESSAGE_MAX + 1];
	int result = IKC_OK;

	settle(&node);
	for (uint32_t i = 0; i <= IKC_DATA_SLOTS; i++) {
		CHECK_EQ(send_text(host, IKC_RING_DATA, "x"), IKC_OK);
		CHECK_EQ(receive_text(&node.ends[LWK], IKC_RING_DATA, text), IKC_OK);
	}
	boot(&node, LWK);
	ikc_link_settle(&node.ends[LWK]);
	/* found when the room that was seen is used up */
	for (uint32_t i = 0; result == IKC_OK && i <= IKC_DATA_SLOTS; i++)
		result = send_text(host, IKC_RING_DATA, "x");
	CHECK_EQ(result, IKC_BAD_TAIL);
	ikc_link_fault(host, IKC_RESET_BAD_TAIL);
	CHECK_EQ(host->own->reset_reason, IKC_RESET_PEER_RESET);
	settle(&node);
	check_run(&node);
	guarded_destroy(&node.memory);
}

static void test_link_keeps_its_tail_until_its_new_life_is_told(void)
{
	struct node node = node_create();
	struct ikc_link *host = &node.ends[HOST];
	char text[IKC_MESSAGE_MAX + 1];

	settle(&node);
	CHECK_EQ(send_text(host, IKC_RING_DATA, "x"), IKC_OK);
	CHECK_EQ(receive_text(&node.ends[LWK], IKC_RING_DATA, text), IKC_OK);
	ikc_link_reset(&node.ends[LWK], IKC_RESET_LOCAL);
	CHECK_EQ(node.ends[LWK].own->cursors[IKC_RING_DATA].tail, 1);
	settle(&node);
	CHECK_EQ(node.ends[LWK].own->cursors[IKC_RING_DATA].tail, 0);
	guarded_destroy(&node.memory);
}

static void test_link_generation_is_never_zero(void)
{
	uint32_t generation = 0;

	CHECK_EQ(ikc_generation_after(3, 0), 0x30001);
	CHECK_EQ(ikc_generation_after(3, 0x30001), 0x30002);
	CHECK_EQ(ikc_generation_after(3, 0x3ffff), 0x30001);
	CHECK_EQ(ikc_generation_after(4, 0x3ffff), 0x40001);
	for (uint32_t i = 0; i < 0x20000; i++) {
		generation = ikc_generation_after(0x10000, generation);
		CHECK(generation != 0 && generation >> 16 == 0);
	}
}

/* From any words of a peer that stands still, an end is done within the steps of one settle. */
static void test_link_settles_against_any_words_that_stand_still(void)
{
	struct node node = node_create();
	struct ikc_link *host = &node.ends[HOST];
	struct ikc_half *lwk = node.ends[LWK].own;
	uint64_t random = 11;

	for (uint32_t round = 0; round < 200000; round++) {
		uint32_t life = 1, own = host->generation, next = ikc_generation_after(1, own);
		uint32_t adopted[] = { 0, own, next, own - 1, (uint32_t)random_next(&random) };
		uint32_t generations[] = { 0, host->peer_generation,
					   life << 16 | (random_next(&random) & 3) };

		lwk->lives = (uint64_t)generations[random_next(&random) % 3] << 32 |
			     adopted[random_next(&random) % 5];
		lwk->state = random_next(&random) % 5;
		mailbox_of(&node.memory, LWK)->alive = random_next(&random) % 8 > 0;
		ikc_link_settle(host);
		CHECK(!ikc_link_step(host));
		CHECK(host->state <= IKC_LINK_RUN);
		CHECK_EQ(host->own->lives,
			 (uint64_t)host->generation << 32 | host->peer_generation);
		CHECK_EQ(host->own->state, host->state);
	}
	boot(&node, LWK);
	settle(&node);
	check_run(&node);
	guarded_destroy(&node.memory);
}

struct parcel {
	uint32_t from, to; /* generations between which it was sent */
	uint32_t number;
};

/* What one kernel may do at any time: be restarted, set up again, look, send, receive. */
static void live(struct node *node, uint32_t id, uint64_t *random, uint32_t numbers[COUNT][2])
{
	struct ikc_link *link = &node->ends[id];
	struct parcel parcel = { link->generation, link->peer_generation, numbers[id][0] };
	struct ikc_message message = { sizeof(parcel), 1, 1 };
	uint32_t generation = link->generation;

	switch (random_next(random) % 64) {
	case 0:
		boot(node, id);
		break;
	case 1:
		ikc_link_reset(link, IKC_RESET_LOCAL);
		break;
	case 2 ... 20:
		ikc_link_settle(link);
		break;
	case 21 ... 40:
		if (link->state == IKC_LINK_RUN &&
		    ikc_send(&link->senders[IKC_RING_DATA], &message, &parcel) == IKC_OK)
			numbers[id][0]++;
		break;
	default:
		if (link->state != IKC_LINK_RUN ||
		    ikc_receive(&link->receivers[IKC_RING_DATA], &message, &parcel,
				sizeof(parcel)) != IKC_OK)
			break;
		CHECK_EQ(parcel.from, link->peer_generation);
		CHECK_EQ(parcel.to, link->generation);
		CHECK_EQ(parcel.number, numbers[id][1]++);
	}
	if (link->generation != generation)
		numbers[id][0] = numbers[id][1] = 0;
}

static void test_link_delivers_only_messages_of_its_pair_of_lives(void)
{
	struct node node = node_create();
	uint32_t numbers[COUNT][2] = { { 0 } };
	uint64_t random = 13;

	for (uint32_t round = 0; round < (soaking() ? 50000000u : 1000000u); round++)
		live(&node, random_next(&random) % COUNT, &random, numbers);
	settle(&node);
	check_run(&node);
	for (uint32_t id = 0; id < COUNT; id++)
		CHECK(node.ends[id].own->reset_reason != IKC_RESET_BAD_STATE);
	guarded_destroy(&node.memory);
}

int main(void)
{
	RUN(test_link_goes_through_its_states_to_run);
	RUN(test_link_carries_messages_on_both_rings_both_ways);
	RUN(test_link_of_a_dead_peer_goes_to_reset);
	RUN(test_link_comes_back_after_a_restart_and_delivers_nothing_old);
	RUN(test_link_comes_back_after_a_restart_that_nobody_saw);
	RUN(test_link_end_set_up_twice_in_one_life_is_a_new_generation);
	RUN(test_link_ignores_what_an_earlier_life_of_the_peer_left);
	RUN(test_link_finds_a_peer_that_takes_back_its_word);
	RUN(test_link_blames_a_peer_for_a_bad_tail);
	RUN(test_link_does_not_blame_a_restarted_peer_for_its_tail);
	RUN(test_link_keeps_its_tail_until_its_new_life_is_told);
	RUN(test_link_generation_is_never_zero);
	RUN(test_link_settles_against_any_words_that_stand_still);
	RUN(test_link_delivers_only_messages_of_its_pair_of_lives);
	return 0;
}
