/* SPDX-License-Identifier: Apache-2.0 */
/* The explorer itself: it finds what can happen, and nothing that cannot. */
#include "explore_atomic.h"

#include "check.h"

/* ---- two words, two threads ---- */

static struct {
	uint32_t x, y;
} shared;

struct litmus_locals {
	uint32_t order; /* of the stores */
	uint32_t seen_x, seen_y;
};

static void litmus_setup(void *const locals[], uint32_t order)
{
	explore_arena(&shared, sizeof(shared));
	explore_word(&shared.x, sizeof(shared.x), "x");
	explore_word(&shared.y, sizeof(shared.y), "y");
	for (uint32_t i = 0; i < 2; i++)
		((struct litmus_locals *)locals[i])->order = order;
}

static void setup_relaxed(void *const locals[])
{
	litmus_setup(locals, EXPLORE_RELAXED);
}

static void setup_release(void *const locals[])
{
	litmus_setup(locals, EXPLORE_RELEASE);
}

static void setup_ordered(void *const locals[])
{
	litmus_setup(locals, EXPLORE_ORDERED);
}

/* Each stores to its word and looks at the other's. */
static void run_store_and_look(uint32_t thread, void *locals)
{
	struct litmus_locals *own = locals;

	explore_store(thread ? &shared.y : &shared.x, 4, 1, own->order);
	own->seen_x = thread ? (uint32_t)ikc_load_ordered(&shared.x) : 1;
	own->seen_y = thread ? 1 : (uint32_t)ikc_load_ordered(&shared.y);
	explore_end();
}

static void check_one_saw_the_other(void *const locals[])
{
	const struct litmus_locals *first = locals[0], *second = locals[1];

	if (!first->seen_y && !second->seen_x)
		explore_fail("neither saw the other");
}

/* One stores data and then a flag, the other looks at the flag and then at the data. */
static void run_publish(uint32_t thread, void *locals)
{
	struct litmus_locals *own = locals;

	if (thread == 0) {
		ikc_store(&shared.x, 1);
		explore_store(&shared.y, 4, 1, own->order);
	} else {
		own->seen_y = ikc_load(&shared.y);
		own->seen_x = ikc_load(&shared.x);
	}
	explore_end();
}

static void check_data_came_first(void *const locals[])
{
	const struct litmus_locals *reader = locals[1];

	if (reader->seen_y && !reader->seen_x)
		explore_fail("flag without data");
}

static struct explore_model litmus(const char *name, void (*setup)(void *const[]), bool publish,
				   bool weak)
{
	return (struct explore_model){
		.name = name,
		.threads = 2,
		.thread_names = { "first", "second" },
		.locals_size = sizeof(struct litmus_locals),
		.weak_stores = weak,
		.setup = setup,
		.run = publish ? run_publish : run_store_and_look,
		.check_settled = publish ? check_data_came_first : check_one_saw_the_other,
	};
}

static void test_explorer_knows_store_buffers(void)
{
	struct explore_model plain = litmus("plain stores", setup_relaxed, false, false);
	struct explore_model release = litmus("released stores", setup_release, false, false);
	struct explore_model ordered = litmus("ordered stores", setup_ordered, false, false);
	struct explore_model weak = litmus("ordered stores, weak", setup_ordered, false, true);

	explore_expect(&plain, "neither saw the other");
	explore_expect(&release, "neither saw the other");
	explore_expect(&ordered, NULL);
	explore_expect(&weak, NULL);
}

static void test_explorer_knows_the_order_of_stores(void)
{
	struct explore_model plain = litmus("plain publication", setup_relaxed, true, false);
	struct explore_model weak = litmus("plain publication, weak", setup_relaxed, true, true);
	struct explore_model release = litmus("released, weak", setup_release, true, true);

	explore_expect(&plain, NULL);
	explore_expect(&weak, "flag without data");
	explore_expect(&release, NULL);
}

/* ---- a thread that waits for what the other does only after it ---- */

static void run_ring_before_sleep(uint32_t thread, void *locals)
{
	(void)locals;
	if (thread == 0)
		explore_ring(1);
	else if (ikc_load(&shared.x) == 0)
		explore_wait(0);
	explore_end();
}

static void run_circle(uint32_t thread, void *locals)
{
	(void)locals;
	explore_ring(1 - thread);
	explore_wait(0);
}

static void check_nothing(void *const locals[])
{
	(void)locals;
}

static void test_explorer_remembers_a_doorbell_and_finds_a_livelock(void)
{
	struct explore_model doorbell = litmus("doorbell before sleep", setup_relaxed, true, false);
	struct explore_model circle = doorbell;

	doorbell.run = run_ring_before_sleep;
	explore_expect(&doorbell, NULL);
	circle.name = "two that ring each other";
	circle.run = run_circle;
	circle.check_settled = check_nothing;
	explore_expect(&circle, explore_livelock);
}

int main(void)
{
	RUN(test_explorer_knows_store_buffers);
	RUN(test_explorer_knows_the_order_of_stores);
	RUN(test_explorer_remembers_a_doorbell_and_finds_a_livelock);
	return 0;
}
