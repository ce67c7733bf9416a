/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kernels that ask each other's echo service at once, over rings of two slots, in every
 * interleaving. docs/ikc-protocol.md, "Who may wait for whom": with half of a ring under way each
 * gets all its answers; with more than a ring they block each other for ever.
 */
#include "explore_atomic.h"
#include "ikc_ring.h"

#include <string.h>

#include "check.h"

#define SLOTS 2u
#define GENERATION 0x00010001u

enum { ENDS = 2 };
enum port { REQUEST = 1, ANSWER = 2 };

/* One ring from each end to the other. */
static struct {
	struct ikc_slot slots[ENDS][SLOTS];
	struct ikc_cursor cursors[ENDS];
} shared;

static uint32_t requests; /* that each end makes */
static uint32_t under_way; /* of them at a time */
static bool answers_first; /* else it asks as long as it may */

enum state { TAKE, TELL_TAKEN, GIVE, TELL_GIVEN, RAISE, LOOK, SLEEP };

struct end {
	struct ikc_sender sender;
	struct ikc_receiver receiver;
	enum state state;
	uint32_t asked, answered;
	bool holds;   /* a request that is to be answered */
	bool waiting; /* found the ring full since it last slept */
};

static bool may_ask(const struct end *own)
{
	return own->asked < requests && own->asked - own->answered < under_way;
}

/* The next thing to look at once nothing can be taken any more. */
static enum state after_take(const struct end *own)
{
	return own->holds || may_ask(own) ? GIVE : RAISE;
}

static void take(struct end *own)
{
	struct ikc_message message;

	/* Flow control: a request that cannot be answered yet keeps all behind it waiting. */
	if (own->holds || ikc_receive(&own->receiver, &message, NULL, 0) != IKC_OK) {
		own->state = after_take(own);
		return;
	}
	if (message.to_port == ANSWER)
		own->answered++;
	else
		own->holds = true;
	own->state = TELL_TAKEN;
}

static void give(struct end *own)
{
	bool answers = own->holds && (answers_first || !may_ask(own));
	struct ikc_message message = { 0, answers ? ANSWER : REQUEST, 0 };

	if (ikc_send(&own->sender, &message, NULL) == IKC_FULL) {
		own->waiting = true;
		own->state = RAISE;
		return;
	}
	if (answers)
		own->holds = false;
	else
		own->asked++;
	own->state = TELL_GIVEN;
}

static void raise_flags(struct end *own)
{
	ikc_receiver_wait(&own->receiver, !own->holds);
	ikc_sender_wait(&own->sender, own->waiting);
	own->state = LOOK;
}

static void look(struct end *own)
{
	bool message = !own->holds && ikc_receiver_ready(&own->receiver);
	bool room = own->waiting && ikc_sender_room(&own->sender) > 0;

	own->waiting = false;
	own->state = message || room ? TAKE : SLEEP;
}

static void run(uint32_t thread, void *locals)
{
	struct end *own = locals;

	switch (own->state) {
	case TAKE:
		take(own);
		break;
	case TELL_TAKEN:
		if (ikc_sender_sleeps(&own->receiver))
			explore_ring(1 - thread);
		own->state = TAKE;
		break;
	case GIVE:
		give(own);
		break;
	case TELL_GIVEN:
		if (ikc_receiver_sleeps(&own->sender))
			explore_ring(1 - thread);
		own->state = TAKE;
		break;
	case RAISE:
		raise_flags(own);
		break;
	case LOOK:
		look(own);
		break;
	case SLEEP:
		explore_wait(0);
		own->state = TAKE;
	}
}

static void setup(void *const locals[])
{
	memset(&shared, 0, sizeof(shared));
	explore_arena(&shared, sizeof(shared));
	for (uint32_t id = 0; id < ENDS; id++) {
		struct ikc_cursor *cursor = &shared.cursors[id], *other = &shared.cursors[1 - id];
		struct end *end = locals[id];

		explore_word(&cursor->tail, 4, "tail of %u", id);
		explore_word(&cursor->receiver_waits, 4, "receiver %u waits", id);
		explore_word(&cursor->sender_waits, 4, "sender %u waits", id);
		for (uint32_t i = 0; i < SLOTS; i++) {
			explore_word(&shared.slots[id][i].stamp, 8, "stamp %u of %u", i, id);
			explore_word(&shared.slots[id][i].length, 8, "header %u of %u", i, id);
		}
		end->sender = (struct ikc_sender){ shared.slots[id], cursor, other,
						   SLOTS, GENERATION, 0, 0 - SLOTS };
		end->receiver = (struct ikc_receiver){ shared.slots[1 - id], cursor, other,
						       SLOTS, GENERATION, 0 };
	}
}

static const char blocked[] = "both sleep with answers outstanding";

static void check_settled(void *const locals[])
{
	for (uint32_t id = 0; id < ENDS; id++)
		if (((const struct end *)locals[id])->answered != requests)
			explore_fail(blocked);
}

static void explore_echo(const char *name, uint32_t count, uint32_t most, const char *fault)
{
	struct explore_model model = {
		.name = name,
		.threads = ENDS,
		.thread_names = { "first", "second" },
		.locals_size = sizeof(struct end),
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
	};

	requests = count;
	under_way = most;
	explore_expect(&model, fault);
}

static void test_echo_both_ways_with_half_a_ring_under_way(void)
{
	answers_first = true;
	explore_echo("half a ring under way, answers first", 3, SLOTS / 2, NULL);
	answers_first = false;
	explore_echo("half a ring under way, requests first", 3, SLOTS / 2, NULL);
}

static void test_echo_both_ways_blocks_with_more_than_a_ring_under_way(void)
{
	explore_echo("more than a ring under way", SLOTS + 1, SLOTS + 1, blocked);
}

int main(void)
{
	RUN(test_echo_both_ways_with_half_a_ring_under_way);
	RUN(test_echo_both_ways_blocks_with_more_than_a_ring_under_way);
	return 0;
}
