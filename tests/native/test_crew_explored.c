/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two senders and two receivers of one ring of two slots, each pair under the lock of its kernel,
 * while a kernel dies at any moment, lock held or not, and begins again: in each pair of lives the
 * messages of either sender come in order, none is lost or comes twice, and none of another pair.
 */
#include "explore_atomic.h"
#include "ikc_layout.h"

#define IKC_CONTROL_SLOTS 2
#include "ikc_link.h"

#include <string.h>

#include "check.h"

enum { SENDING, RECEIVING, KERNELS };
enum { CREW = 2, THREADS = KERNELS * CREW, MONITOR = THREADS };

/*
 * What the threads of a kernel share: the lock, and what stands under it. One word, so that what
 * comes with the lock costs no access.
 */
struct private {
	uint64_t locked : 1, up : 1, state : 2;
	uint64_t generation : 20, peer_generation : 20; /* 4 bits of incarnation */
	uint64_t head : 5, tail : 5;
	uint64_t taken : 4 * CREW; /* messages of each sender */
};

_Static_assert(sizeof(struct private) == 8, "struct private is more than a word");

static struct {
	struct ikc_partition partitions[KERNELS];
	struct ikc_half halves[KERNELS][KERNELS];
	uint64_t privates[KERNELS];
} shared;

static struct ikc_map map;

struct plan {
	const char *name;
	uint32_t crew[KERNELS]; /* at work */
	uint32_t messages[CREW]; /* of each sender, in each pair of lives */
	uint32_t deaths[KERNELS];
};

static const struct plan *plan;

enum state { WORK, TELL, SLEEP };

struct member {
	enum state state;
	uint32_t kernel, number;
	uint32_t told;
	bool link_changed;
	uint32_t sent, sent_in; /* messages, and in which generation */
};

enum monitor_state { IDLE, KILL_FIRST, KILL_SECOND, COUNT_LIFE, FORGET, TELL_LIFE, START_FIRST, START_SECOND };

struct monitor {
	enum monitor_state state;
	uint32_t victim, told;
	uint32_t deaths[KERNELS];
};

union locals {
	struct member member;
	struct monitor monitor;
};

/* ---- the lock ---- */

static uint64_t word_of(struct private private)
{
	uint64_t word;

	memcpy(&word, &private, sizeof(word));
	return word;
}

static struct private private_of(uint64_t word)
{
	struct private private;

	memcpy(&private, &word, sizeof(private));
	return private;
}

static struct private lock(uint32_t kernel)
{
	const struct private locked = { .locked = 1 };

	return private_of(explore_lock(&shared.privates[kernel], 8, word_of(locked)));
}

static void unlock(uint32_t kernel, const struct private *private)
{
	ikc_store_ordered(&shared.privates[kernel], word_of(*private));
}

/* ---- a link that both threads of a kernel use ---- */

static void link_resume(struct ikc_link *link, uint32_t kernel, const struct private *private)
{
	uint32_t peer = KERNELS - 1 - kernel;
	struct ikc_half *half = &shared.halves[kernel][peer];

	*link = (struct ikc_link){
		.own_id = kernel,
		.peer_id = peer,
		.own = half,
		.peer = &shared.halves[peer][kernel],
		.peer_life = &shared.partitions[peer].mailbox,
		.incarnation = private->generation >> 16,
		.generation = private->generation,
		.peer_generation = private->peer_generation,
		.state = private->state,
	};
	link->senders[IKC_RING_CONTROL] = (struct ikc_sender){
		half->control, &half->cursors[IKC_RING_CONTROL], &link->peer->cursors[IKC_RING_CONTROL],
		IKC_CONTROL_SLOTS, private->generation, private->head, private->head - IKC_CONTROL_SLOTS
	};
	link->receivers[IKC_RING_CONTROL] = (struct ikc_receiver){
		link->peer->control, &half->cursors[IKC_RING_CONTROL],
		&link->peer->cursors[IKC_RING_CONTROL], IKC_CONTROL_SLOTS, private->peer_generation,
		private->tail
	};
}

static void link_boot(struct ikc_link *link, uint32_t kernel)
{
	uint32_t incarnation = ikc_load_acquire(&shared.partitions[kernel].mailbox.incarnation);

	ikc_link_init(link, &map, kernel, KERNELS - 1 - kernel, incarnation);
}

static void link_keep(const struct ikc_link *link, struct private *private)
{
	if (private->peer_generation != link->peer_generation)
		private->taken = 0;
	private->up = 1;
	private->state = link->state;
	private->generation = link->generation;
	private->peer_generation = link->peer_generation;
	private->head = link->senders[IKC_RING_CONTROL].head;
	private->tail = link->receivers[IKC_RING_CONTROL].tail;
}

/* ---- a member of a crew ---- */

/* The payload of every message: the pair of lives that it was sent in, and which one it is. */
struct payload {
	uint16_t from, to, sender, number;
};

static struct payload payload_of(uint32_t from, uint32_t to)
{
	return (struct payload){ (uint16_t)(from ^ from >> 8), (uint16_t)(to ^ to >> 8), 0, 0 };
}

static bool send_next(struct member *own, struct ikc_link *link)
{
	struct payload payload = payload_of(link->generation, link->peer_generation);
	struct ikc_message message = { sizeof(payload), 0, 0 };
	int err;

	if (own->sent_in != link->generation)
		own->sent = 0;
	own->sent_in = link->generation;
	if (own->sent == plan->messages[own->number])
		return false;
	payload.sender = (uint16_t)own->number;
	payload.number = (uint16_t)own->sent;
	err = ikc_send(&link->senders[IKC_RING_CONTROL], &message, &payload);
	if (err == IKC_BAD_TAIL) {
		ikc_link_fault(link, IKC_RESET_BAD_TAIL);
		return true;
	}
	own->sent += err == IKC_OK;
	return err == IKC_OK;
}

static bool take_next(struct ikc_link *link, struct private *private)
{
	struct payload payload, due = payload_of(link->peer_generation, link->generation);
	struct ikc_message message;
	uint32_t taken;

	if (ikc_receive(&link->receivers[IKC_RING_CONTROL], &message, &payload, sizeof(payload)) != IKC_OK)
		return false;
	if (payload.from != due.from || payload.to != due.to)
		explore_fail("a message of an old life is delivered");
	taken = private->taken >> 4 * payload.sender & 0xf;
	if (payload.number != taken)
		explore_fail("a message is lost, comes twice or out of order");
	private->taken += 1u << 4 * payload.sender;
	return true;
}

static void work(struct member *own)
{
	struct private private = lock(own->kernel);
	struct ikc_link link;
	bool moved = false;

	link_resume(&link, own->kernel, &private);
	if (!private.up)
		link_boot(&link, own->kernel);
	own->link_changed = ikc_link_settle(&link) || !private.up;
	link_keep(&link, &private);
	if (link.state == IKC_LINK_RUN) {
		moved = own->kernel == SENDING ? send_next(own, &link) : take_next(&link, &private);
		link_keep(&link, &private);
	}
	unlock(own->kernel, &private);
	own->state = own->link_changed || moved ? TELL : SLEEP;
}

static bool is_at_work(uint32_t kernel, uint32_t number)
{
	return number < plan->crew[kernel];
}

/* An interrupt wakes all of the peer; of the own crew only a new state of the link does. */
static void tell(struct member *own)
{
	bool peers = own->told < CREW;
	uint32_t kernel = peers ? KERNELS - 1 - own->kernel : own->kernel;
	uint32_t number = own->told % CREW;

	if (is_at_work(kernel, number) && (peers || number != own->number))
		explore_ring(kernel * CREW + number);
	if (++own->told == 2 * CREW || (own->told == CREW && !own->link_changed)) {
		own->told = 0;
		own->link_changed = false;
		own->state = WORK;
	}
}

static void run_member(struct member *own)
{
	if (!is_at_work(own->kernel, own->number)) {
		explore_end();
	} else if (own->state == WORK) {
		work(own);
	} else if (own->state == TELL) {
		tell(own);
	} else {
		explore_wait(0);
		own->state = WORK;
	}
}

/* ---- the monitor ---- */

static void run_monitor(struct monitor *own)
{
	struct ikc_mailbox *mailbox = &shared.partitions[own->victim].mailbox;
	uint32_t first = own->victim * CREW, peers = (KERNELS - 1 - own->victim) * CREW;
	union locals begun[CREW] = { { .member = { .kernel = own->victim, .number = 0 } },
				     { .member = { .kernel = own->victim, .number = 1 } } };

	switch (own->state) {
	case IDLE:
		own->victim = explore_wait(KERNELS) - 1;
		if (!own->deaths[own->victim])
			explore_skip();
		own->deaths[own->victim]--;
		break;
	case KILL_FIRST:
		explore_kill(first);
		break;
	case KILL_SECOND:
		if (is_at_work(own->victim, 1))
			explore_kill(first + 1);
		break;
	case COUNT_LIFE:
		ikc_store_ordered(&mailbox->incarnation, ikc_load(&mailbox->incarnation) + 1);
		break;
	case FORGET:
		ikc_store_ordered(&shared.privates[own->victim], 0);
		break;
	case TELL_LIFE:
		if (is_at_work(KERNELS - 1 - own->victim, own->told))
			explore_ring(peers + own->told);
		own->told = (own->told + 1) % CREW;
		if (own->told)
			return;
		break;
	case START_FIRST:
		explore_start(first, &begun[0]);
		break;
	case START_SECOND:
		if (is_at_work(own->victim, 1))
			explore_start(first + 1, &begun[1]);
		own->state = IDLE;
		return;
	}
	own->state++;
}

static void run(uint32_t thread, void *locals)
{
	if (thread == MONITOR)
		run_monitor(locals);
	else
		run_member(locals);
}

/* ---- the model ---- */

static void name_kernel(uint32_t id, const char *name)
{
	struct ikc_half *half = &shared.halves[id][KERNELS - 1 - id];

	explore_word(&shared.privates[id], 8, "%s lock", name);
	explore_word(&shared.partitions[id].mailbox.incarnation, 4, "%s incarnation", name);
	explore_word(&half->lives, 8, "%s lives", name);
	explore_word(&half->state, 4, "%s state", name);
	explore_word(&half->cursors[IKC_RING_CONTROL].tail, 4, "%s tail", name);
	for (uint32_t i = 0; i < IKC_CONTROL_SLOTS && id == SENDING; i++) {
		explore_word(&half->control[i].stamp, 8, "slot %u stamp", i);
		explore_word(&half->control[i].length, 8, "slot %u header", i);
		explore_word(&half->control[i].data, 8, "slot %u data", i);
	}
}

/* In RUN, as if they had come there long ago. */
static void kernel_in_run(uint32_t id)
{
	const uint32_t generation = 1 << 16 | 1;
	struct ikc_half *half = &shared.halves[id][KERNELS - 1 - id];

	half->lives = (uint64_t)generation << 32 | generation;
	half->state = IKC_LINK_RUN;
	shared.partitions[id].mailbox.incarnation = 1;
	shared.partitions[id].mailbox.alive = 1;
	shared.privates[id] = word_of((struct private){ .up = 1,
							.state = IKC_LINK_RUN,
							.generation = generation,
							.peer_generation = generation });
}

static void setup(void *const locals[])
{
	memset(&shared, 0, sizeof(shared));
	map = (struct ikc_map){
		.base = (uintptr_t)&shared,
		.partitions = (uint64_t)((char *)shared.partitions - (char *)&shared),
		.halves = (uint64_t)((char *)shared.halves - (char *)&shared),
		.partition_count = KERNELS,
	};
	kernel_in_run(SENDING);
	kernel_in_run(RECEIVING);
	explore_arena(&shared, sizeof(shared));
	name_kernel(SENDING, "senders'");
	name_kernel(RECEIVING, "receivers'");
	for (uint32_t i = 0; i < THREADS; i++)
		((union locals *)locals[i])->member =
			(struct member){ .kernel = i / CREW, .number = i % CREW };
	if (plan->deaths[SENDING] || plan->deaths[RECEIVING])
		memcpy(((union locals *)locals[MONITOR])->monitor.deaths, plan->deaths,
		       sizeof(plan->deaths));
}

static void check_settled(void *const locals[])
{
	struct private sending = private_of(explore_peek(&shared.privates[SENDING]));
	struct private receiving = private_of(explore_peek(&shared.privates[RECEIVING]));

	if (sending.state != IKC_LINK_RUN || receiving.state != IKC_LINK_RUN)
		explore_fail("an end is stuck short of RUN");
	if (sending.generation != receiving.peer_generation)
		explore_fail("two ends run in different lives");
	for (uint32_t i = 0; i < plan->crew[SENDING]; i++) {
		const struct member *sender = locals[i];

		if (sender->sent_in != sending.generation || sender->sent != plan->messages[i])
			explore_fail("a sender waits for room that there is");
		if ((receiving.taken >> 4 * i & 0xf) != plan->messages[i])
			explore_fail("the receivers sleep and leave a message");
	}
}

static void check_reason(const void *address, uint64_t value)
{
	bool reason = address == &shared.halves[SENDING][RECEIVING].reset_reason ||
		      address == &shared.halves[RECEIVING][SENDING].reset_reason;

	if (reason && value >= IKC_RESET_BAD_STATE)
		explore_fail("an honest peer is blamed for a reset");
}

static void explore_plan(const struct plan *explored)
{
	struct explore_model model = {
		.name = explored->name,
		.threads = explored->deaths[SENDING] || explored->deaths[RECEIVING] ? 5 : 4,
		.thread_names = { "sender 0", "sender 1", "receiver 0", "receiver 1", "monitor" },
		.locals_size = sizeof(union locals),
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
		.other_store = check_reason,
	};

	plan = explored;
	explore_expect(&model, NULL);
}

static void test_crews_share_a_ring_in_every_interleaving(void)
{
	explore_plan(&(struct plan){ "two senders and one receiver", { 2, 1 }, { 2, 2 }, { 0 } });
	explore_plan(&(struct plan){ "two senders and two receivers", { 2, 2 }, { 2, 1 }, { 0 } });
}

static void test_crews_survive_a_death_of_the_peer_at_any_moment(void)
{
	explore_plan(&(struct plan){ "the receiver dies", { 2, 1 }, { 1, 1 }, { 0, 1 } });
}

static void test_crews_survive_much_trouble(void)
{
	explore_plan(&(struct plan){ "the senders die", { 2, 1 }, { 1, 1 }, { 1, 0 } });
}

int main(void)
{
	RUN(test_crews_share_a_ring_in_every_interleaving);
	RUN(test_crews_survive_a_death_of_the_peer_at_any_moment);
	if (soaking())
		RUN(test_crews_survive_much_trouble);
	return 0;
}
