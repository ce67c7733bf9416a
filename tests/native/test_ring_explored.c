/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of one sender and one receiver of a small ring, store buffers included, asleep
 * and awake: each message comes once, in order and whole, and nobody sleeps for ever.
 */
#include "explore_atomic.h"
#include "ikc_ring.h"

#include <string.h>

#include "check.h"

#define SLOTS_MAX 4
#define MESSAGES_MAX 10
#define GENERATION 0x00010001u
#define FIRST (0u - 2) /* the index wraps in the middle */

enum { SENDER, RECEIVER };

static struct {
	struct ikc_slot slots[SLOTS_MAX];
	struct ikc_cursor cursors[2];
} shared;

/* What is sent; two words of each slot's payload are part of the model. */
struct plan {
	uint32_t slots;
	uint32_t messages;
	uint32_t lengths[MESSAGES_MAX];
};

static const struct plan *plan;

enum state { MOVE, DOORBELL, RAISE, LOOK, SLEEP, LOWER };

struct locals {
	union {
		struct ikc_sender sender;
		struct ikc_receiver receiver;
	};
	enum state state;
	uint32_t done; /* messages sent or taken */
};

/* Every byte of a message's payload tells which message, and which slot and word of it. */
static void fill(uint8_t *payload, uint32_t message)
{
	for (uint32_t i = 0; i < plan->lengths[message]; i++)
		payload[i] =
			(uint8_t)(message << 4 | i / IKC_SLOT_DATA << 2 | i % IKC_SLOT_DATA / 8);
}

static void send_next(struct locals *own)
{
	uint8_t payload[4 * IKC_SLOT_DATA];
	struct ikc_message message = { plan->lengths[own->done], (uint16_t)own->done, 0 };
	int err;

	if (own->done == plan->messages) {
		explore_end();
		return;
	}
	fill(payload, own->done);
	err = ikc_send(&own->sender, &message, payload);
	if (err == IKC_FULL) {
		own->state = RAISE;
	} else if (err == IKC_OK) {
		own->done++;
		own->state = DOORBELL;
	} else {
		explore_fail("the sender finds a fault with an honest receiver");
	}
}

static void run_sender(struct locals *own)
{
	switch (own->state) {
	case MOVE:
		send_next(own);
		break;
	case DOORBELL:
		if (ikc_receiver_sleeps(&own->sender))
			explore_ring(RECEIVER);
		own->state = MOVE;
		break;
	case RAISE:
		ikc_sender_wait(&own->sender, true);
		own->state = LOOK;
		break;
	case LOOK:
		own->state =
			ikc_sender_room(&own->sender) < (int)ikc_slots_for(plan->lengths[own->done])
				? SLEEP
				: LOWER;
		break;
	case SLEEP:
		explore_wait(0);
		own->state = LOWER;
		break;
	case LOWER:
		ikc_sender_wait(&own->sender, false);
		own->state = MOVE;
	}
}

static void take_next(struct locals *own)
{
	uint8_t payload[4 * IKC_SLOT_DATA] = { 0 }, expected[4 * IKC_SLOT_DATA] = { 0 };
	struct ikc_message message;
	int err = ikc_receive(&own->receiver, &message, payload, sizeof(payload));

	if (err == IKC_EMPTY) {
		own->state = RAISE;
		return;
	}
	if (err)
		explore_fail("the receiver finds a fault with an honest sender");
	if (message.to_port != own->done || message.length != plan->lengths[own->done])
		explore_fail("another message than the one that is due");
	fill(expected, own->done);
	for (uint32_t i = 0; i < message.length; i++)
		if (i % IKC_SLOT_DATA < 16 && payload[i] != expected[i])
			explore_fail("a payload is torn");
	own->done++;
	own->state = DOORBELL;
}

static void run_receiver(struct locals *own)
{
	switch (own->state) {
	case MOVE:
		take_next(own);
		break;
	case DOORBELL:
		if (ikc_sender_sleeps(&own->receiver))
			explore_ring(SENDER);
		if (own->done == plan->messages)
			explore_end();
		own->state = MOVE;
		break;
	case RAISE:
		ikc_receiver_wait(&own->receiver, true);
		own->state = LOOK;
		break;
	case LOOK:
		own->state = ikc_receiver_ready(&own->receiver) ? LOWER : SLEEP;
		break;
	case SLEEP:
		explore_wait(0);
		own->state = LOWER;
		break;
	case LOWER:
		ikc_receiver_wait(&own->receiver, false);
		own->state = MOVE;
	}
}

static void run(uint32_t thread, void *locals)
{
	if (thread == SENDER)
		run_sender(locals);
	else
		run_receiver(locals);
}

static void name_words(void)
{
	explore_arena(&shared, sizeof(shared));
	for (uint32_t i = 0; i < plan->slots; i++) {
		struct ikc_slot *slot = &shared.slots[(FIRST + i) % plan->slots];

		/* As the lap before left it, with a message that is as good as ours but old. */
		slot->stamp = ikc_stamp(GENERATION, FIRST + i - plan->slots);
		slot->length = 16;
		memset(slot->data, 0xee, 16);
		explore_word(&slot->stamp, 8, "slot %u stamp", i);
		explore_word(&slot->length, 8, "slot %u header", i);
		explore_word(&slot->data[0], 8, "slot %u data 0", i);
		explore_word(&slot->data[8], 8, "slot %u data 1", i);
	}
	explore_word(&shared.cursors[RECEIVER].tail, 4, "tail");
	explore_word(&shared.cursors[RECEIVER].receiver_waits, 4, "receiver_waits");
	explore_word(&shared.cursors[SENDER].sender_waits, 4, "sender_waits");
}

static void setup(void *const locals[])
{
	struct locals *sender = locals[SENDER], *receiver = locals[RECEIVER];

	memset(&shared, 0, sizeof(shared));
	shared.cursors[RECEIVER].tail = FIRST;
	name_words();
	sender->sender = (struct ikc_sender){ shared.slots,
					      &shared.cursors[SENDER],
					      &shared.cursors[RECEIVER],
					      plan->slots,
					      GENERATION,
					      FIRST,
					      FIRST - plan->slots };
	receiver->receiver = (struct ikc_receiver){ shared.slots,
						    &shared.cursors[RECEIVER],
						    &shared.cursors[SENDER],
						    plan->slots,
						    GENERATION,
						    FIRST };
}

static void check_settled(void *const locals[])
{
	const struct locals *sender = locals[SENDER], *receiver = locals[RECEIVER];

	if (sender->done != plan->messages || receiver->done != plan->messages)
		explore_fail("both sleep: a wake-up is lost");
}

static void explore_plan(const char *name, const struct plan *explored, bool weak)
{
	struct explore_model model = {
		.name = name,
		.threads = 2,
		.thread_names = { "sender", "receiver" },
		.locals_size = sizeof(struct locals),
		.weak_stores = weak,
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
	};

	plan = explored;
	explore_expect(&model, NULL);
}

static void test_ring_of_two_slots_in_every_interleaving(void)
{
	explore_plan("10 messages of 1 slot",
		     &(struct plan){ 2, 10, { 16, 16, 0, 8, 16, 16, 16, 0, 16, 16 } }, false);
	explore_plan("8 messages of 1 and 2 slots",
		     &(struct plan){ 2, 8, { 16, 128, 0, 120, 16, 16, 128, 128 } }, false);
}

static void test_ring_of_four_slots_in_every_interleaving(void)
{
	explore_plan("10 messages of 1 slot",
		     &(struct plan){ 4, 10, { 16, 16, 0, 8, 16, 16, 16, 0, 16, 16 } }, false);
	explore_plan("8 messages of 1 to 4 slots",
		     &(struct plan){ 4, 8, { 16, 240, 0, 360, 120, 16, 448, 8 } }, false);
}

static void test_ring_on_a_processor_that_reorders_stores(void)
{
	explore_plan("6 messages of 1 slot", &(struct plan){ 2, 6, { 16, 16, 0, 8, 16, 16 } },
		     true);
	explore_plan("6 messages of 1 and 2 slots",
		     &(struct plan){ 2, 6, { 16, 128, 8, 120, 16, 128 } }, true);
}

int main(void)
{
	RUN(test_ring_of_two_slots_in_every_interleaving);
	RUN(test_ring_of_four_slots_in_every_interleaving);
	RUN(test_ring_on_a_processor_that_reorders_stores);
	return 0;
}
