/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two rings that shipped in multi-kernels, for several producers without a lock, written down after
 * their description. The explorer must find what is wrong with them: else it would not find it in
 * ours.
 */
#include "explore_atomic.h"

#include "check.h"

#define PRODUCERS_MAX 3

/* Thread 0 takes, the others send. */
static struct {
	uint32_t read, write;
	uint32_t published; /* all before it are filled */
	uint32_t slots[4];  /* producer << 8 | number of its message, from 1; 0: none */
} queue;

enum state { LOOK, CLAIM, COPY, PUBLISH };

struct locals {
	uint32_t slots, producers, each;
	bool greater; /* the full test is a comparison, not an equality */
	enum state state;
	uint32_t read, write;
	uint32_t sent;
	uint32_t taken[PRODUCERS_MAX + 1];
};

static const char lost[] = "a message is lost, doubled or torn";
static const char stuck[] = "messages are left and nobody moves";

static void setup(void *const locals[], struct locals first)
{
	explore_arena(&queue, sizeof(queue));
	explore_word(&queue.read, 4, "read");
	explore_word(&queue.write, 4, "write");
	explore_word(&queue.published, 4, "published");
	for (uint32_t i = 0; i < first.slots; i++)
		explore_word(&queue.slots[i], 4, "slot %u", i);
	for (uint32_t i = 0; i <= first.producers; i++)
		*(struct locals *)locals[i] = first;
}

/* Claims a slot by moving the write index on, unless somebody else did. */
static enum state claim(const struct locals *own, uint32_t next)
{
	return explore_compare_and_swap(&queue.write, 4, own->write, next) ? COPY : LOOK;
}

static void sent_one(struct locals *own)
{
	own->state = LOOK;
	if (++own->sent == own->each)
		explore_end();
}

static void take(struct locals *own, uint32_t message)
{
	uint32_t producer = message >> 8, left = 0;

	if (producer == 0 || producer > own->producers ||
	    (message & 0xff) != own->taken[producer] + 1)
		explore_fail(lost);
	own->taken[producer]++;
	for (uint32_t i = 1; i <= own->producers; i++)
		left += own->each - own->taken[i];
	if (!left)
		explore_end();
}

static void check_all_taken(void *const locals[])
{
	const struct locals *consumer = locals[0];

	for (uint32_t i = 1; i <= consumer->producers; i++)
		if (consumer->taken[i] != consumer->each)
			explore_fail(stuck);
}

/* ---- IHK's queue: claimed by compare-and-swap, published in the order of the claims ---- */

static void ihk_produce(uint32_t thread, struct locals *own)
{
	uint32_t room = own->slots - 1;
	bool full;

	switch (own->state) {
	case LOOK:
		own->read = ikc_load(&queue.read);
		own->write = ikc_load(&queue.write);
		full = own->greater ? own->write - own->read >= room
				    : own->write - own->read == room;
		if (full)
			explore_await_other(&queue.read, 4, own->read);
		else
			own->state = CLAIM;
		break;
	case CLAIM:
		own->state = claim(own, own->write + 1);
		break;
	case COPY:
		ikc_store(&queue.slots[own->write % own->slots], thread << 8 | (own->sent + 1));
		explore_await(&queue.published, 4, own->write);
		own->state = PUBLISH;
		break;
	case PUBLISH:
		ikc_store_ordered(&queue.published, own->write + 1);
		sent_one(own);
	}
}

static void ihk_consume(struct locals *own)
{
	switch (own->state) {
	case LOOK:
		explore_await_other(&queue.published, 4, own->read);
		own->state = CLAIM;
		break;
	case CLAIM:
		ikc_store_ordered(&queue.read, own->read + 1);
		own->state = COPY;
		break;
	default:
		take(own, ikc_load(&queue.slots[own->read++ % own->slots]));
		own->state = LOOK;
	}
}

static void ihk_run(uint32_t thread, void *locals)
{
	if (thread == 0)
		ihk_consume(locals);
	else
		ihk_produce(thread, locals);
}

static void ihk_setup(void *const locals[])
{
	setup(locals, (struct locals){ .slots = 3, .producers = 3, .each = 2 });
}

static void ihk_setup_greater(void *const locals[])
{
	setup(locals, (struct locals){ .slots = 3, .producers = 2, .each = 2, .greater = true });
}

static struct explore_model ihk = {
	.name = "IHK queue",
	.threads = 4,
	.thread_names = { "consumer", "producer 1", "producer 2", "producer 3" },
	.locals_size = sizeof(struct locals),
	.setup = ihk_setup,
	.run = ihk_run,
	.check_settled = check_all_taken,
};

static void test_explorer_finds_the_full_test_by_equality(void)
{
	explore_expect(&ihk, lost);
}

static void test_explorer_finds_no_fault_in_the_full_test_by_comparison(void)
{
	struct explore_model greater = ihk;

	greater.name = "IHK queue with >=";
	greater.threads = 3;
	greater.setup = ihk_setup_greater;
	explore_expect(&greater, NULL);
}

/* ---- multikernel's ring: the head is masked, so that it comes back to a value that it had ---- */

static void masked_produce(uint32_t thread, struct locals *own)
{
	switch (own->state) {
	case LOOK:
		own->write = ikc_load(&queue.write);
		own->read = ikc_load(&queue.read);
		if ((own->write + 1) % own->slots == own->read)
			explore_await_other(&queue.read, 4, own->read);
		else
			own->state = CLAIM;
		break;
	case CLAIM:
		own->state = claim(own, (own->write + 1) % own->slots);
		break;
	default:
		ikc_store_ordered(&queue.slots[own->write], thread << 8 | (own->sent + 1));
		sent_one(own);
	}
}

static void masked_consume(struct locals *own)
{
	if (own->state == LOOK) {
		explore_await_other(&queue.write, 4, own->read);
		explore_await_other(&queue.slots[own->read], 4, 0);
		take(own, ikc_load(&queue.slots[own->read]));
		own->state = PUBLISH;
	} else {
		ikc_store_ordered(&queue.slots[own->read], 0);
		own->read = (own->read + 1) % own->slots;
		ikc_store_ordered(&queue.read, own->read);
		own->state = LOOK;
	}
}

static void masked_run(uint32_t thread, void *locals)
{
	if (thread == 0)
		masked_consume(locals);
	else
		masked_produce(thread, locals);
}

static void masked_setup(void *const locals[])
{
	setup(locals, (struct locals){ .slots = 2, .producers = 2, .each = 3 });
}

static void test_explorer_finds_the_masked_head_that_comes_back(void)
{
	struct explore_model masked = ihk;

	masked.name = "ring with a masked head";
	masked.threads = 3;
	masked.setup = masked_setup;
	masked.run = masked_run;
	explore_expect(&masked, stuck);
}

int main(void)
{
	RUN(test_explorer_finds_the_full_test_by_equality);
	RUN(test_explorer_finds_no_fault_in_the_full_test_by_comparison);
	RUN(test_explorer_finds_the_masked_head_that_comes_back);
	return 0;
}
