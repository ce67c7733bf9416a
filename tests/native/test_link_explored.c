/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of both ends of a link, and of a monitor that ends and begins their lives at
 * any moment: whatever happened, both come to RUN once it is over; no message reaches another pair
 * of lives than it was sent in; and no honest end is blamed.
 */
#include "explore_atomic.h"
#include "ikc_link.h"

#include <string.h>

#include "check.h"

enum { HOST, LWK, COUNT, MONITOR = COUNT };

static struct {
	struct ikc_partition partitions[COUNT];
	struct ikc_half halves[COUNT][COUNT];
} shared;

static struct ikc_map map;

/* What may go wrong, and how often at most. */
struct trouble {
	const char *name;
	uint32_t deaths[COUNT];
	uint32_t looks;	   /* without a doorbell, in each life */
	uint32_t reloads;  /* of the host's module, in each life */
	bool told;	   /* everybody is rung between the end of a life and the next one */
	bool alive_always; /* the incarnation changes, `alive` does not */
	bool survives;	   /* only `alive` goes off and on: the kernel never noticed */
	bool weak_stores;
};

static const struct trouble *trouble;

enum end_state { BOOT, TELL_BOOT, SETTLE, TELL, WORK, RECEIVE, SLEEP, UNLOAD };

struct end {
	enum end_state state;
	uint32_t id;
	uint32_t looks, reloads;
	uint32_t sent_in,
		received_in; /* own and peer's generation of the last message sent and taken */
	struct ikc_link link;
};

enum monitor_state { IDLE, KILL, BURY, TELL_DEATH, COUNT_LIFE, RAISE, TELL_LIFE, START };

struct monitor {
	enum monitor_state state;
	uint32_t victim;
	uint32_t deaths[COUNT];
};

union locals {
	struct end end;
	struct monitor monitor;
};

/* The payload of every message: the pair of lives that it was sent in. */
struct pair {
	uint32_t from, to;
};

/* ---- an end ---- */

static void boot(struct end *own)
{
	uint32_t incarnation = ikc_load_acquire(&shared.partitions[own->id].mailbox.incarnation);

	ikc_link_init(&own->link, &map, own->id, COUNT - 1 - own->id, incarnation);
	own->state = TELL_BOOT;
}

static void settle(struct end *own)
{
	if (ikc_link_settle(&own->link))
		own->state = TELL;
	else
		own->state = own->link.state == IKC_LINK_RUN ? WORK : SLEEP;
}

/* One message in each pair of lives. */
static void work(struct end *own)
{
	struct pair pair = { own->link.generation, own->link.peer_generation };
	struct ikc_message message = { sizeof(pair), IKC_CONTROL_PING, 0 };

	own->state = RECEIVE;
	if (own->sent_in == own->link.generation)
		return;
	if (ikc_send(&own->link.senders[IKC_RING_CONTROL], &message, &pair) != IKC_OK)
		explore_fail("an honest receiver is blamed");
	own->sent_in = own->link.generation;
	own->state = TELL;
}

static void receive(struct end *own)
{
	struct pair pair = { 0, 0 };
	struct ikc_message message;
	int err =
		ikc_receive(&own->link.receivers[IKC_RING_CONTROL], &message, &pair, sizeof(pair));

	if (err == IKC_EMPTY) {
		own->state = SLEEP;
		return;
	}
	if (err != IKC_OK)
		explore_fail("an honest sender is blamed");
	if (pair.from != own->link.peer_generation || pair.to != own->link.generation)
		explore_fail("a message of an old life is delivered");
	if (own->received_in == pair.from)
		explore_fail("a message is delivered twice");
	own->received_in = pair.from;
}

/* Rung; or a look without need; or the module is unloaded and loaded again. */
static void sleep_end(struct end *own)
{
	uint32_t choice = explore_wait(2);

	own->state = SETTLE;
	if (choice == 1) {
		if (!own->looks)
			explore_skip();
		own->looks--;
	} else if (choice == 2) {
		if (!own->reloads)
			explore_skip();
		own->reloads--;
		own->state = UNLOAD;
	}
}

static void run_end(struct end *own)
{
	switch (own->state) {
	case BOOT:
		boot(own);
		break;
	case SETTLE:
		settle(own);
		break;
	case TELL_BOOT:
		explore_ring(COUNT - 1 - own->id);
		own->state = SETTLE;
		break;
	case TELL:
		explore_ring(COUNT - 1 - own->id);
		own->state = own->link.state == IKC_LINK_RUN ? WORK : SLEEP;
		break;
	case WORK:
		work(own);
		break;
	case RECEIVE:
		receive(own);
		break;
	case SLEEP:
		sleep_end(own);
		break;
	case UNLOAD:
		ikc_link_reset(&own->link, IKC_RESET_LOCAL);
		explore_ring(COUNT - 1 - own->id);
		own->state = BOOT;
	}
}

/* ---- the monitor: ends a life at any moment, begins the next when it likes ---- */

static void start(struct monitor *own)
{
	union locals first = { .end = { .state = BOOT,
					.id = own->victim,
					.looks = trouble->looks,
					.reloads = own->victim == HOST ? trouble->reloads : 0 } };

	explore_start(own->victim, &first);
	own->state = IDLE;
}

static void idle(struct monitor *own)
{
	own->victim = explore_wait(COUNT) - 1;
	if (!own->deaths[own->victim])
		explore_skip();
	own->deaths[own->victim]--;
	own->state = trouble->survives ? BURY : KILL;
}

static void run_monitor(struct monitor *own)
{
	struct ikc_mailbox *mailbox = &shared.partitions[own->victim].mailbox;

	switch (own->state) {
	case IDLE:
		idle(own);
		break;
	case KILL:
		explore_kill(own->victim);
		own->state = trouble->alive_always ? COUNT_LIFE : BURY;
		break;
	case BURY:
		ikc_store_ordered(&mailbox->alive, 0);
		own->state = trouble->told ? TELL_DEATH : COUNT_LIFE;
		break;
	case TELL_DEATH:
		explore_ring(COUNT - 1 - own->victim);
		own->state = COUNT_LIFE;
		break;
	case COUNT_LIFE:
		if (!trouble->survives)
			ikc_store_ordered(&mailbox->incarnation,
					  ikc_load(&mailbox->incarnation) + 1);
		own->state = trouble->alive_always ? TELL_LIFE : RAISE;
		break;
	case RAISE:
		ikc_store_ordered(&mailbox->alive, 1);
		own->state = TELL_LIFE;
		break;
	case TELL_LIFE:
		explore_ring(COUNT - 1 - own->victim);
		own->state = trouble->survives ? IDLE : START;
		break;
	case START:
		start(own);
	}
}

static void run(uint32_t thread, void *locals)
{
	if (thread == MONITOR)
		run_monitor(locals);
	else
		run_end(locals);
}

/* ---- the model ---- */

static void name_end(uint32_t id, const char *name)
{
	struct ikc_half *half = &shared.halves[id][COUNT - 1 - id];

	explore_word(&shared.partitions[id].mailbox.incarnation, 4, "%s incarnation", name);
	explore_word(&shared.partitions[id].mailbox.alive, 4, "%s alive", name);
	explore_word(&half->lives, 8, "%s lives", name);
	explore_word(&half->state, 4, "%s state", name);
	explore_word(&half->cursors[IKC_RING_CONTROL].tail, 4, "%s tail", name);
	for (uint32_t i = 0; i < 2; i++) {
		explore_word(&half->control[i].stamp, 8, "%s slot %u stamp", name, i);
		explore_word(&half->control[i].length, 8, "%s slot %u header", name, i);
		explore_word(&half->control[i].data, 8, "%s slot %u data", name, i);
	}
}

static void setup(void *const locals[])
{
	union locals *host = locals[HOST], *lwk = locals[LWK], *monitor = locals[MONITOR];

	memset(&shared, 0, sizeof(shared));
	map = (struct ikc_map){
		.base = (uintptr_t)&shared,
		.partitions = (uint64_t)((char *)shared.partitions - (char *)&shared),
		.halves = (uint64_t)((char *)shared.halves - (char *)&shared),
		.partition_count = COUNT,
	};
	for (uint32_t id = 0; id < COUNT; id++) {
		shared.partitions[id].mailbox.incarnation = 1;
		shared.partitions[id].mailbox.alive = 1;
	}
	explore_arena(&shared, sizeof(shared));
	name_end(HOST, "host");
	name_end(LWK, "lwk");
	host->end =
		(struct end){ .id = HOST, .looks = trouble->looks, .reloads = trouble->reloads };
	lwk->end = (struct end){ .id = LWK, .looks = trouble->looks };
	memcpy(monitor->monitor.deaths, trouble->deaths, sizeof(trouble->deaths));
}

/*
 * READY and RUN are agreements: each holds for as long as the peer keeps the life that it agreed
 * with.
 */
static void check_state(void *const locals[])
{
	for (uint32_t id = 0; id < COUNT && !trouble->survives; id++) {
		const struct end *own = locals[id];
		const struct ikc_half *told = &shared.halves[id][COUNT - 1 - id];
		const struct ikc_half *peer = &shared.halves[COUNT - 1 - id][id];
		uint64_t lives = explore_peek(&peer->lives);

		if (own->link.state < IKC_LINK_READY || lives >> 32 != own->link.peer_generation ||
		    explore_peek(&told->lives) >> 32 != own->link.generation)
			continue;
		if ((uint32_t)lives != own->link.generation)
			explore_fail("READY with a peer that adopted another life");
		if (own->link.state == IKC_LINK_RUN && explore_peek(&peer->state) == IKC_LINK_INIT)
			explore_fail("RUN with a peer that is not READY");
	}
}

static void check_settled(void *const locals[])
{
	for (uint32_t id = 0; id < COUNT; id++) {
		const struct end *own = locals[id], *peer = locals[COUNT - 1 - id];

		if (own->link.state != IKC_LINK_RUN)
			explore_fail("an end is stuck short of RUN");
		if (own->link.peer_generation != peer->link.generation)
			explore_fail("two ends run in different lives");
		if (own->sent_in != own->link.generation ||
		    own->received_in != peer->link.generation)
			explore_fail("a message of this life is lost");
	}
}

static void check_reason(const void *address, uint64_t value)
{
	bool reason = address == &shared.halves[HOST][LWK].reset_reason ||
		      address == &shared.halves[LWK][HOST].reset_reason;

	if (reason && value >= IKC_RESET_BAD_STATE && value != IKC_RESET_LOCAL &&
	    !trouble->survives)
		explore_fail("an honest peer is blamed for a reset");
}

static void explore_trouble(const struct trouble *explored)
{
	struct explore_model model = {
		.name = explored->name,
		.threads = 3,
		.thread_names = { "host", "lwk", "monitor" },
		.locals_size = sizeof(union locals),
		.weak_stores = explored->weak_stores,
		.setup = setup,
		.run = run,
		.check_state = check_state,
		.check_settled = check_settled,
		.other_store = check_reason,
	};

	trouble = explored;
	explore_expect(&model, NULL);
}

static void test_link_comes_to_run_in_every_interleaving(void)
{
	explore_trouble(&(struct trouble){ .name = "no trouble", .looks = 1 });
	explore_trouble(&(struct trouble){
		.name = "no trouble, weak stores", .looks = 1, .weak_stores = true });
}

static void test_link_survives_a_death_at_any_moment(void)
{
	explore_trouble(&(struct trouble){
		.name = "told between the lives", .deaths = { 0, 1 }, .told = true });
	explore_trouble(&(struct trouble){
		.name = "never not alive", .deaths = { 0, 1 }, .alive_always = true });
}

static void test_link_survives_a_reload_at_any_moment(void)
{
	explore_trouble(&(struct trouble){ .name = "module reloaded", .reloads = 1 });
}

static void test_link_survives_a_false_report_of_death(void)
{
	explore_trouble(
		&(struct trouble){ .name = "off and on", .deaths = { 0, 1 }, .survives = true });
}

static void test_link_survives_much_trouble(void)
{
	explore_trouble(&(struct trouble){ .name = "told after both", .deaths = { 0, 1 } });
	explore_trouble(&(struct trouble){
		.name = "the same end twice", .deaths = { 0, 2 }, .alive_always = true });
	explore_trouble(&(struct trouble){ .name = "both ends", .deaths = { 1, 1 }, .told = true });
	explore_trouble(&(struct trouble){ .name = "reloaded twice", .reloads = 2 });
	explore_trouble(
		&(struct trouble){ .name = "death and reload", .deaths = { 0, 1 }, .reloads = 1 });
	explore_trouble(&(struct trouble){
		.name = "death, weak stores", .deaths = { 0, 1 }, .weak_stores = true });
	explore_trouble(
		&(struct trouble){ .name = "death and looks", .deaths = { 0, 1 }, .looks = 1 });
}

int main(void)
{
	RUN(test_link_comes_to_run_in_every_interleaving);
	RUN(test_link_survives_a_death_at_any_moment);
	RUN(test_link_survives_a_reload_at_any_moment);
	RUN(test_link_survives_a_false_report_of_death);
	if (soaking())
		RUN(test_link_survives_much_trouble);
	return 0;
}
