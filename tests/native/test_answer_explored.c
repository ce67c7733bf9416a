/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An LWK that says once who is awake, and two workers of a proxy that answer it, look one at a time and leave what they owe to
 * each other or to the watch, as in channel.c and channel_turn.c of the driver: no answer stays in the ring for ever.
 */
#include "explore_atomic.h"
#include "ikc_ring.h"

#include <string.h>

#include "check.h"

enum { LWK, FIRST_WORKER, WORKERS = 2, WATCH = FIRST_WORKER + WORKERS, THREADS };
enum { SLOTS = 4 };

enum broken {
	NOTHING,
	NO_SETTLING,
	OWES_LATE,
	OWES_FALLS_LATE,
	WATCH_GOES_OWING,
};

struct plan {
	const char *name;
	uint32_t answers[WORKERS]; /* one or none; each looks once, even so */
	bool goes_away[WORKERS]; /* with a message that he finds when he looks */
	uint32_t sleeps;	 /* how often the LWK may fall asleep */
	enum broken broken;
};

static const struct plan *plan;

static struct {
	struct ikc_slot slots[SLOTS];
	struct ikc_cursor lwk, linux_;
	uint32_t lock; /* with `rung` above it */
	uint32_t head; /* who settles reads it without the lock */
	uint32_t owes, looks, watched, seen, taken;
} shared;

struct lwk {
	uint32_t tail, slept;
	bool asleep;
};

struct worker {
	uint32_t number;
	bool done;
};

union locals {
	struct lwk lwk;
	struct worker worker;
};

/* ---- the LWK ---- */

static void take_all(struct lwk *own, struct ikc_receiver *receiver)
{
	struct ikc_message message;

	while (ikc_receive(receiver, &message, NULL, 0) == IKC_OK)
		;
	own->tail = receiver->tail;
}

static void run_lwk(struct lwk *own)
{
	struct ikc_receiver receiver = { shared.slots, &shared.lwk, &shared.linux_, SLOTS, 1, own->tail };

	if (explore_wait(1)) {
		if (own->asleep || own->slept == plan->sleeps)
			explore_skip();
		own->slept++;
		own->asleep = true;
		ikc_receiver_wait(&receiver, true);
		if (!ikc_receiver_ready(&receiver))
			return;
	}
	take_all(own, &receiver);
	if (own->asleep)
		ikc_receiver_come_by(&receiver);
	own->asleep = false;
}

/* ---- the driver ---- */

static struct ikc_sender sender_now(void)
{
	uint32_t head = ikc_load(&shared.head);

	return (struct ikc_sender){ shared.slots, &shared.linux_, &shared.lwk, SLOTS, 1, head, head - SLOTS };
}

static bool peer_comes(const struct ikc_sender *sender, uint32_t rung)
{
	uint32_t since = sender->head - rung;
	uint32_t left = sender->head - ikc_load_ordered(&sender->peer->tail);

	return left > since;
}

/* True: it is owed. */
static bool send_answer(void)
{
	uint32_t word = (uint32_t)explore_lock(&shared.lock, 4, 1);
	struct ikc_sender sender = sender_now();
	struct ikc_message message = { 0, 0, 0 };
	uint32_t rung = word >> 1, waits;
	bool owed = false;

	if (ikc_send(&sender, &message, NULL) != IKC_OK)
		explore_fail("the ring is full");
	ikc_store(&shared.head, sender.head);
	waits = ikc_receiver_waits(&sender);
	if (waits == IKC_RECEIVER_COMES_BY || (waits && peer_comes(&sender, rung))) {
		owed = true;
	} else if (waits) {
		rung = sender.head;
		explore_ring(LWK);
	}
	if (owed && plan->broken != OWES_LATE)
		ikc_store(&shared.owes, 1);
	ikc_store_ordered(&shared.lock, rung << 1);
	return owed;
}

static void settle(void)
{
	struct ikc_sender sender;

	if (plan->broken == NO_SETTLING || !ikc_load(&shared.owes))
		return;
	if (plan->broken == OWES_FALLS_LATE)
		ikc_store(&shared.owes, 0);
	else
		ikc_store_ordered(&shared.owes, 0);
	sender = sender_now();
	if (ikc_sender_room(&sender) != SLOTS && ikc_receiver_sleeps(&sender))
		explore_ring(LWK);
}

static void leave(void)
{
	if (ikc_load(&shared.watched) || !explore_compare_and_swap(&shared.watched, 4, 0, 1))
		return;
	ikc_store_ordered(&shared.seen, ikc_load(&shared.taken));
	explore_ring(WATCH);
}

static void run_worker(struct worker *own)
{
	bool owed = false, looks, away = false;

	if (own->done) {
		explore_end();
		return;
	}
	own->done = true;
	if (plan->answers[own->number])
		owed = send_answer();
	looks = explore_compare_and_swap(&shared.looks, 4, 0, 1);
	if (owed && plan->broken == OWES_LATE)
		ikc_store(&shared.owes, 1);
	if (looks) {
		away = plan->goes_away[own->number];
		if (away)
			ikc_store_ordered(&shared.taken, ikc_load(&shared.taken) + 1);
		ikc_store_ordered(&shared.looks, 0);
	}
	if (!away && !ikc_load(&shared.looks))
		settle();
	if (away)
		leave();
}

static void run_watch(void)
{
	uint32_t taken;

	explore_wait(0);
	taken = ikc_load(&shared.taken);
	settle();
	if (taken != ikc_load(&shared.seen)) {
		ikc_store_ordered(&shared.seen, taken);
		explore_ring(WATCH);
		return;
	}
	ikc_store_ordered(&shared.watched, 0);
	if (plan->broken != WATCH_GOES_OWING)
		settle();
}

static void run(uint32_t thread, void *locals)
{
	if (thread == LWK)
		run_lwk(locals);
	else if (thread == WATCH)
		run_watch();
	else
		run_worker(locals);
}

/* ---- the model ---- */

static void setup(void *const locals[])
{
	memset(&shared, 0, sizeof(shared));
	shared.lwk.receiver_waits = IKC_RECEIVER_COMES_BY;
	explore_arena(&shared, sizeof(shared));
	for (uint32_t i = 0; i < plan->answers[0] + plan->answers[1]; i++) {
		explore_word(&shared.slots[i].stamp, 8, "slot %u stamp", i);
		explore_word(&shared.slots[i].length, 8, "slot %u header", i);
	}
	explore_word(&shared.lwk.tail, 4, "tail");
	explore_word(&shared.lwk.receiver_waits, 4, "receiver waits");
	explore_word(&shared.lock, 4, "lock");
	explore_word(&shared.head, 4, "head");
	explore_word(&shared.owes, 4, "owes");
	explore_word(&shared.looks, 4, "looks");
	explore_word(&shared.watched, 4, "watched");
	explore_word(&shared.seen, 4, "seen");
	explore_word(&shared.taken, 4, "taken");
	for (uint32_t i = 0; i < WORKERS; i++)
		((union locals *)locals[FIRST_WORKER + i])->worker.number = i;
}

static const char left[] = "an answer is left in the ring";

static void check_settled(void *const locals[])
{
	const struct lwk *lwk = locals[LWK];

	if (lwk->tail != plan->answers[0] + plan->answers[1])
		explore_fail(left);
}

static void explore_plan(const struct plan *explored)
{
	struct explore_model model = {
		.name = explored->name,
		.threads = THREADS,
		.thread_names = { "LWK", "worker 0", "worker 1", "watch" },
		.locals_size = sizeof(union locals),
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
	};

	plan = explored;
	explore_expect(&model, explored->broken ? left : NULL);
}

static void test_no_answer_is_left(void)
{
	explore_plan(&(struct plan){ "both look", { 1, 1 }, { 0 }, 1, NOTHING });
	explore_plan(&(struct plan){ "one goes away", { 1, 1 }, { 0, 1 }, 1, NOTHING });
	explore_plan(&(struct plan){ "both go away", { 1, 1 }, { 1, 1 }, 0, NOTHING });
}

static void test_each_step_is_needed(void)
{
	explore_plan(&(struct plan){ "no settling", { 1, 1 }, { 0 }, 0, NO_SETTLING });
	explore_plan(&(struct plan){ "owes late", { 1, 0 }, { 0, 0 }, 0, OWES_LATE });
	explore_plan(&(struct plan){ "owes falls late", { 1, 1 }, { 0, 0 }, 1, OWES_FALLS_LATE });
	explore_plan(&(struct plan){ "the watch goes owing", { 1, 1 }, { 1, 1 }, 0, WATCH_GOES_OWING });
}

int main(void)
{
	RUN(test_no_answer_is_left);
	RUN(test_each_step_is_needed);
	return 0;
}
