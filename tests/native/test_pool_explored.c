/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a sender that lends pages of its pool and a receiver that uses and takes
 * them, in a small ring that wraps: no page changes while it is lent, and all of them come back.
 */
#include "explore_atomic.h"
#include "ikc_layout.h"

#define IKC_CHANNEL_SLOTS 4
#define IKC_POOL_PAGES 64
#include "ikc_pool.h"

#include <string.h>

#include "check.h"

#define PAGES 3 /* that the sender has left */
#define MESSAGES_MAX 10
#define GENERATION 0x00010001u
#define FIRST (0u - 2)

enum { SENDER, RECEIVER };

static struct {
	struct ikc_slot slots[IKC_CHANNEL_SLOTS];
	struct ikc_cursor cursors[2];
	uint8_t pool[PAGES * IKC_PAGE_SIZE];
} shared;

/* A message lends so many pages, or is copied into so many slots. */
struct plan {
	const char *name;
	uint32_t messages;
	uint8_t lends[MESSAGES_MAX];
	uint8_t copies[MESSAGES_MAX];
};

static const struct plan *plan;

struct locals {
	union {
		struct {
			struct ikc_sender sender;
			struct ikc_pool pool;
			struct ikc_loans loans;
		};
		struct {
			struct ikc_receiver receiver;
			uint32_t length; /* of the message that is looked at */
			uint32_t page;
		};
	};
	uint32_t done; /* messages sent or taken */
	uint32_t used; /* pages of the present message that were looked at */
	bool looks;
};

/* ---- the sender ---- */

static const uint64_t first_used = ~0ull << PAGES;

static void wait_for_tail(const struct locals *own)
{
	explore_await_other(&shared.cursors[RECEIVER].tail, 4, own->loans.settled);
}

static void lend_next(struct locals *own)
{
	uint32_t pages = plan->lends[own->done];
	int first = ikc_pool_take(&own->pool, pages);

	if (first == IKC_FULL) {
		wait_for_tail(own);
		return;
	}
	for (uint32_t page = (uint32_t)first; page < (uint32_t)first + pages; page++)
		ikc_store((uint64_t *)(void *)&shared.pool[page * IKC_PAGE_SIZE], own->done + 1);
	if (ikc_lend(&own->loans, &own->sender, (uint32_t)first, pages * IKC_PAGE_SIZE) == IKC_OK) {
		own->done++;
		return;
	}
	ikc_pool_give(&own->pool, (uint32_t)first, pages);
	wait_for_tail(own);
}

static void copy_next(struct locals *own)
{
	static const uint8_t payload[IKC_CHANNEL_SLOTS * IKC_SLOT_DATA];
	uint32_t length = plan->copies[own->done] * IKC_SLOT_DATA;
	struct ikc_message message = { length, IKC_PACKET_COPIED, 0 };

	if (ikc_send(&own->sender, &message, payload) == IKC_OK)
		own->done++;
	else
		wait_for_tail(own);
}

static void run_sender(struct locals *own)
{
	if (ikc_loans_reap(&own->loans, &own->pool, &own->sender) != IKC_OK)
		explore_fail("an honest receiver is blamed");
	if (own->done < plan->messages && plan->lends[own->done])
		lend_next(own);
	else if (own->done < plan->messages)
		copy_next(own);
	else if (own->loans.settled != own->sender.head)
		wait_for_tail(own);
	else
		explore_end();
}

/* ---- the receiver: one access to what was lent at a time, and then it takes the message ---- */

static void look_at_next(struct locals *own)
{
	uint8_t payload[IKC_CHANNEL_SLOTS * IKC_SLOT_DATA];
	struct ikc_message message;
	const uint8_t *at;
	uint32_t slot = own->receiver.tail & (IKC_CHANNEL_SLOTS - 1);

	explore_await(&shared.slots[slot].stamp, 8, ikc_stamp(GENERATION, own->receiver.tail));
	if (ikc_peek(&own->receiver, &message, payload, sizeof(payload)) != IKC_OK)
		explore_fail("an honest sender is blamed");
	own->length = message.length;
	own->used = own->page = 0;
	if (message.to_port == IKC_PACKET_LENT) {
		uint32_t length;

		at = ikc_lent(shared.pool, &message, payload, &length);
		if (!at || length != plan->lends[own->done] * IKC_PAGE_SIZE)
			explore_fail("another reference than was sent");
		own->page = (uint32_t)(at - shared.pool) / IKC_PAGE_SIZE;
	}
	own->looks = true;
}

static void use_or_take(struct locals *own)
{
	struct ikc_message message = { own->length, 0, 0 };
	uint32_t page = own->page + own->used;

	if (own->used < plan->lends[own->done]) {
		const uint64_t *word = (const void *)&shared.pool[page * IKC_PAGE_SIZE];

		if (ikc_load(word) != own->done + 1)
			explore_fail("a page changed while it was lent");
		own->used++;
		return;
	}
	ikc_take(&own->receiver, &message);
	own->looks = false;
	if (++own->done == plan->messages)
		explore_end();
}

static void run(uint32_t thread, void *locals)
{
	struct locals *own = locals;

	if (thread == SENDER)
		run_sender(own);
	else if (own->looks)
		use_or_take(own);
	else
		look_at_next(own);
}

/* ---- the model ---- */

static void name_words(void)
{
	explore_arena(&shared, sizeof(shared));
	for (uint32_t i = 0; i < IKC_CHANNEL_SLOTS; i++) {
		struct ikc_slot *slot = &shared.slots[i];

		explore_word(&slot->stamp, 8, "slot %u stamp", i);
		explore_word(&slot->length, 8, "slot %u header", i);
		explore_word(&slot->data[0], 8, "slot %u offset", i);
		explore_word(&slot->data[8], 8, "slot %u length of loan", i);
	}
	for (uint32_t i = 0; i < PAGES; i++)
		explore_word(&shared.pool[i * IKC_PAGE_SIZE], 8, "page %u", i);
	explore_word(&shared.cursors[RECEIVER].tail, 4, "tail");
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
					      IKC_CHANNEL_SLOTS,
					      GENERATION,
					      FIRST,
					      FIRST - IKC_CHANNEL_SLOTS };
	sender->pool.used[0] = first_used;
	sender->loans.settled = FIRST; /* as ikc_loans_begin does, which looks at words that only steps may load */
	receiver->receiver = (struct ikc_receiver){ shared.slots,
						    &shared.cursors[RECEIVER],
						    &shared.cursors[SENDER],
						    IKC_CHANNEL_SLOTS,
						    GENERATION,
						    FIRST };
}

/* If the channel ended here, would the sender have all its pages again? */
static void check_state(void *const locals[])
{
	const struct locals *sender = locals[SENDER];
	struct ikc_pool pool = sender->pool;
	struct ikc_loans loans = sender->loans;

	ikc_loans_end(&loans, &pool, &sender->sender);
	if (pool.used[0] != first_used)
		explore_fail("a page is lost");
}

static void check_settled(void *const locals[])
{
	const struct locals *sender = locals[SENDER], *receiver = locals[RECEIVER];

	if (sender->done != plan->messages || receiver->done != plan->messages)
		explore_fail("both wait");
	if (sender->pool.used[0] != first_used)
		explore_fail("a page is lost");
}

static void explore_plan(const struct plan *explored, bool weak)
{
	struct explore_model model = {
		.name = explored->name,
		.threads = 2,
		.thread_names = { "sender", "receiver" },
		.locals_size = sizeof(struct locals),
		.weak_stores = weak,
		.setup = setup,
		.run = run,
		.check_state = check_state,
		.check_settled = check_settled,
	};

	plan = explored;
	explore_expect(&model, NULL);
}

static const struct plan small = { "a page each", 9, { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, { 0 } };
static const struct plan mixed = { "one and two pages, and copies",
				   9,
				   { 1, 2, 0, 1, 0, 2, 1, 0, 1 },
				   { 0, 0, 2, 0, 1, 0, 0, 3, 0 } };
static const struct plan copies = { "hardly a page, and the ring full of copies",
				    8,
				    { 1, 0, 0, 0, 0, 1, 0, 1 },
				    { 0, 1, 2, 4, 1, 0, 3, 0 } };

static void test_lent_pages_in_every_interleaving(void)
{
	explore_plan(&small, false);
	explore_plan(&mixed, false);
	explore_plan(&copies, false);
}

static void test_lent_pages_on_a_processor_that_reorders_stores(void)
{
	explore_plan(&mixed, true);
	explore_plan(&copies, true);
}

int main(void)
{
	RUN(test_lent_pages_in_every_interleaving);
	RUN(test_lent_pages_on_a_processor_that_reorders_stores);
	return 0;
}
