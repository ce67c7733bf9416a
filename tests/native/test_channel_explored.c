/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of both ends of a channel that is opened, accepted or refused, used, closed by
 * either end and opened again, also while a monitor ends and begins the life of a kernel at any
 * moment: what is sent before a close is taken, nothing of another life is, both ends agree in the
 * end, and no honest end is blamed.
 */
#include "explore_atomic.h"
#include "ikc_layout.h"

#define IKC_CHANNELS 2
#include "ikc_channel.h"

#include <string.h>

#include "check.h"

#define SLOTS 4
#define MAGIC 0x1000u
#define VECTOR IKC_VECTOR_CHANNEL

enum { HOST, LWK, COUNT, MONITOR = COUNT };

static struct {
	struct ikc_partition partitions[COUNT];
	struct ikc_half halves[COUNT][COUNT];
} shared;

static struct ikc_map map;

/* When the user of an end closes a channel by itself; each closes when the other end has. */
enum closing {
	NEVER,
	AT_ONCE,   /* before it has looked whether anybody accepted it */
	WHEN_SENT, /* all its messages */
	ANY_TIME,  /* or never */
};

struct plan {
	const char *name;
	uint32_t opens[COUNT];	  /* channels, one after the other, in each pair of lives */
	uint32_t messages[COUNT]; /* to send in each life of a channel */
	enum closing closing[COUNT];
	uint32_t refusals; /* before anything is accepted, in each pair of lives */
	uint32_t deaths[COUNT];
	uint32_t reloads; /* of the host's module */
	bool weak_stores;
};

static const struct plan *plan;

enum state { BOOT, SETTLE, CHANGED, LOOK, USE, SLEEP, UNLOAD };

struct use {
	struct ikc_sender sender;
	struct ikc_receiver receiver;
	uint8_t sent, taken; /* in this life */
	bool may_take, may_send, ended;
};

struct end {
	enum state state;
	uint8_t id;
	uint8_t index; /* of the channel looked at */
	uint8_t opens, refusals, reloads;
	bool tells; /* the peer is to be rung before anything else */
	struct ikc_link link;
	struct ikc_channels channels;
	struct use uses[IKC_CHANNELS];
};

enum monitor_state { IDLE, KILL, BURY, COUNT_LIFE, RAISE, TELL_LIFE, START };

struct monitor {
	enum monitor_state state;
	uint32_t victim;
	uint32_t deaths[COUNT];
};

union locals {
	struct end end;
	struct monitor monitor;
};

/* ---- an end's user ---- */

static uint64_t payload_of(uint32_t generation, uint32_t life, uint32_t number)
{
	return (uint64_t)generation << 32 | life << 16 | number;
}

static void take_all(struct end *own, struct use *use, uint32_t life)
{
	struct ikc_message message;
	uint64_t payload = 0;
	int err = ikc_receive(&use->receiver, &message, &payload, sizeof(payload));

	if (err == IKC_EMPTY)
		return;
	if (err != IKC_OK)
		explore_fail("an honest sender is blamed");
	if (payload != payload_of(own->link.peer_generation, life, use->taken))
		explore_fail("a message of another life is delivered, or out of order");
	use->taken++;
	own->tells = true;
}

static void send_one(struct end *own, struct use *use, uint32_t index)
{
	uint64_t payload = payload_of(own->link.generation, own->channels.ends[index].life, use->sent);
	struct ikc_message message = { sizeof(payload), IKC_PACKET_COPIED, 0 };

	if (ikc_send(&use->sender, &message, &payload) != IKC_OK)
		explore_fail("an honest receiver is blamed");
	ikc_store(&own->link.own->channels[index].sent, ++use->sent);
	own->tells = true;
}

/* Its sender was never set up if it only asked for the channel: as it is with a NULL. */
static void close_channel(struct end *own, uint32_t index)
{
	struct use *use = &own->uses[index];

	ikc_channel_close(&own->channels, index, use->may_take ? &use->sender : NULL);
	*use = (struct use){ 0 };
	own->tells = true;
	own->state = CHANGED;
}

static bool wants_to_close(const struct end *own, uint32_t index)
{
	const struct use *use = &own->uses[index];
	enum closing closing = plan->closing[own->id];

	return closing == AT_ONCE || (closing == WHEN_SENT && use->may_send &&
				      use->sent == plan->messages[own->id]);
}

/* What a user has to do with one channel; each call does one thing. */
static void use_channel(struct end *own, uint32_t index)
{
	struct use *use = &own->uses[index];
	const struct ikc_channel_end *end = &own->channels.ends[index];
	uint8_t taken = use->taken;

	if (use->may_take) {
		take_all(own, use, end->life);
		if (use->taken != taken)
			return;
	}
	if (use->ended) {
		if (use->taken != ikc_load(&own->link.peer->channels[index].sent))
			explore_fail("a message sent before the close is lost");
		close_channel(own, index);
	} else if (use->may_send && use->sent < plan->messages[own->id]) {
		send_one(own, use, index);
	} else if ((end->state == IKC_CHANNEL_OPENING || end->state == IKC_CHANNEL_OPEN) &&
		   wants_to_close(own, index)) {
		close_channel(own, index);
	}
}

static void open_next(struct end *own)
{
	struct ikc_terms terms = { 1, 2, MAGIC + own->opens, 8 };
	int index;

	if (!own->opens || own->channels.ends[own->id].state != IKC_CHANNEL_FREE)
		return;
	ikc_store(&own->link.own->channels[own->id].sent, 0);
	index = ikc_channel_open(&own->channels, &terms, VECTOR);
	if (index < 0)
		return;
	own->opens--;
	own->tells = true;
}

/* ---- an end's kernel ---- */

static void answer(struct end *own, uint32_t index, const struct ikc_terms *terms)
{
	struct use *use = &own->uses[index];

	if (terms->magic <= MAGIC || terms->magic > MAGIC + plan->opens[COUNT - 1 - own->id])
		explore_fail("terms that nobody asked for");
	ikc_store(&own->link.own->channels[index].sent, 0);
	if (own->refusals) {
		own->refusals--;
		ikc_channel_refuse(&own->channels, index, IKC_REFUSAL_BUSY);
	} else {
		ikc_channel_accept(&own->channels, index, VECTOR, &use->sender, &use->receiver);
		use->may_take = true;
	}
}

static void look(struct end *own, uint32_t index)
{
	struct use *use = &own->uses[index];
	struct ikc_terms terms;
	enum ikc_channel_news news = ikc_channel_look(&own->channels, index, &terms);

	own->tells |= news != IKC_CHANNEL_NO_NEWS;
	switch (news) {
	case IKC_CHANNEL_ASKED:
		answer(own, index, &terms);
		break;
	case IKC_CHANNEL_ACCEPTED:
		ikc_channel_confirm(&own->channels, index, &use->sender, &use->receiver);
		use->may_take = use->may_send = true;
		break;
	case IKC_CHANNEL_OPENED:
		use->may_send = true;
		break;
	case IKC_CHANNEL_DENIED:
		if (terms.magic != IKC_REFUSAL_BUSY && terms.magic != IKC_REFUSAL_CLOSED)
			explore_fail("refused for another reason");
		break;
	case IKC_CHANNEL_ENDED:
		use->ended = true;
		break;
	case IKC_CHANNEL_BROKEN:
		ikc_link_fault(&own->link, IKC_RESET_BAD_CHANNEL);
		break;
	default:
		break;
	}
}

/* A new pair of lives: what there was is gone, and all is done again. */
static void begin(struct end *own)
{
	ikc_channels_begin(&own->channels);
	memset(own->uses, 0, sizeof(own->uses));
	own->opens = (uint8_t)plan->opens[own->id];
	own->refusals = (uint8_t)plan->refusals;
}

static void settle(struct end *own)
{
	if (ikc_link_settle(&own->link)) {
		own->tells = true;
		if (own->link.state == IKC_LINK_RUN)
			begin(own);
	}
	own->state = own->link.state == IKC_LINK_RUN ? CHANGED : SLEEP;
}

static void look_next(struct end *own)
{
	look(own, own->index++);
	if (own->link.state != IKC_LINK_RUN)
		own->state = SETTLE;
	else if (own->index == IKC_CHANNELS)
		own->state = USE;
}

static void use_all(struct end *own)
{
	open_next(own);
	for (uint32_t index = 0; index < IKC_CHANNELS; index++)
		use_channel(own, index);
	if (!own->tells)
		own->state = SLEEP;
}

/* Rung; or its user closes; or the module is unloaded and loaded again. */
static void sleep_end(struct end *own)
{
	uint32_t choice = explore_wait(2);

	own->state = SETTLE;
	if (choice == 1) {
		enum ikc_channel_state state = own->channels.ends[HOST].state;

		if (plan->closing[own->id] != ANY_TIME || own->link.state != IKC_LINK_RUN ||
		    (state != IKC_CHANNEL_OPENING && state != IKC_CHANNEL_OPEN))
			explore_skip();
		close_channel(own, HOST);
	} else if (choice == 2) {
		if (!own->reloads)
			explore_skip();
		own->reloads--;
		own->state = UNLOAD;
	}
}

static void boot(struct end *own)
{
	uint32_t incarnation = ikc_load_acquire(&shared.partitions[own->id].mailbox.incarnation);

	ikc_link_init(&own->link, &map, own->id, COUNT - 1 - own->id, incarnation);
	ikc_channels_init(&own->channels, &own->link);
	own->tells = true;
	own->state = SETTLE;
}

static void run_end(struct end *own)
{
	own->channels.link = &own->link; /* locals have no place of their own */
	if (own->tells) {
		own->tells = false;
		explore_ring(COUNT - 1 - own->id);
		return;
	}
	switch (own->state) {
	case BOOT:
		boot(own);
		break;
	case SETTLE:
		settle(own);
		break;
	case CHANGED:
		own->index = 0;
		own->state = ikc_channels_changed(&own->channels) ? LOOK : USE;
		break;
	case LOOK:
		look_next(own);
		break;
	case USE:
		use_all(own);
		break;
	case SLEEP:
		sleep_end(own);
		break;
	case UNLOAD:
		ikc_link_reset(&own->link, IKC_RESET_LOCAL);
		own->tells = true;
		own->state = BOOT;
	}
}

/* ---- the monitor ---- */

static void run_monitor(struct monitor *own)
{
	struct ikc_mailbox *mailbox = &shared.partitions[own->victim].mailbox;
	union locals first = { .end = { .state = BOOT, .id = (uint8_t)own->victim } };

	switch (own->state) {
	case IDLE:
		own->victim = explore_wait(COUNT) - 1;
		if (!own->deaths[own->victim])
			explore_skip();
		own->deaths[own->victim]--;
		break;
	case KILL:
		explore_kill(own->victim);
		break;
	case BURY:
		ikc_store_ordered(&mailbox->alive, 0);
		break;
	case COUNT_LIFE:
		ikc_store_ordered(&mailbox->incarnation, ikc_load(&mailbox->incarnation) + 1);
		break;
	case RAISE:
		ikc_store_ordered(&mailbox->alive, 1);
		break;
	case TELL_LIFE:
		explore_ring(COUNT - 1 - own->victim);
		break;
	case START:
		explore_start(own->victim, &first);
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
		run_end(locals);
}

/* ---- the model ---- */

static uint32_t slots_used(uint32_t id)
{
	uint32_t used = plan->messages[id] * plan->opens[HOST];

	CHECK(used <= SLOTS);
	return used;
}

static void name_channel(uint32_t id, uint32_t index, const char *name)
{
	struct ikc_half *half = &shared.halves[id][COUNT - 1 - id];
	struct ikc_channel *channel = &half->channels[index];

	explore_word(&channel->state, 4, "%s %u state", name, index);
	explore_word(&channel->life, 4, "%s %u life", name, index);
	explore_word(&channel->start, 4, "%s %u start", name, index);
	explore_word(&channel->magic, 4, "%s %u magic", name, index);
	explore_word(&channel->refusal, 4, "%s %u refusal", name, index);
	explore_word(&channel->sent, 8, "%s %u sent", name, index);
	explore_word(&half->channel_cursors[index].tail, 4, "%s %u tail", name, index);
	for (uint32_t i = 0; i < slots_used(id); i++) {
		struct ikc_slot *slot = &half->channel_slots[index][i];

		explore_word(&slot->stamp, 8, "%s %u slot %u stamp", name, index, i);
		explore_word(&slot->length, 8, "%s %u slot %u header", name, index, i);
		explore_word(&slot->data, 8, "%s %u slot %u data", name, index, i);
	}
}

static void name_end(uint32_t id, const char *name)
{
	struct ikc_half *half = &shared.halves[id][COUNT - 1 - id];

	explore_word(&shared.partitions[id].mailbox.incarnation, 4, "%s incarnation", name);
	explore_word(&shared.partitions[id].mailbox.alive, 4, "%s alive", name);
	explore_word(&half->lives, 8, "%s lives", name);
	explore_word(&half->state, 4, "%s link state", name);
	explore_word(&half->channel_turn, 4, "%s turn", name);
	for (uint32_t index = 0; index < IKC_CHANNELS; index++)
		if (plan->opens[index])
			name_channel(id, index, name);
}

/* In RUN, as if they had come there long ago. */
static struct end end_in_run(uint32_t id)
{
	const uint32_t generation = 1 << 16 | 1;
	struct ikc_half *half = &shared.halves[id][COUNT - 1 - id];
	struct end end = {
		.state = SETTLE,
		.id = (uint8_t)id,
		.opens = (uint8_t)plan->opens[id],
		.refusals = (uint8_t)plan->refusals,
		.reloads = id == HOST ? (uint8_t)plan->reloads : 0,
		.link = {
			.own_id = id,
			.peer_id = COUNT - 1 - id,
			.own = half,
			.peer = &shared.halves[COUNT - 1 - id][id],
			.peer_life = &shared.partitions[COUNT - 1 - id].mailbox,
			.incarnation = 1,
			.generation = generation,
			.peer_generation = generation,
			.state = IKC_LINK_RUN,
		},
	};

	half->lives = (uint64_t)generation << 32 | generation;
	half->state = IKC_LINK_RUN;
	shared.partitions[id].mailbox.incarnation = 1;
	shared.partitions[id].mailbox.alive = 1;
	return end;
}

static void setup(void *const locals[])
{
	memset(&shared, 0, sizeof(shared));
	map = (struct ikc_map){
		.base = (uintptr_t)&shared,
		.partitions = (uint64_t)((char *)shared.partitions - (char *)&shared),
		.halves = (uint64_t)((char *)shared.halves - (char *)&shared),
		.partition_count = COUNT,
	};
	for (uint32_t id = 0; id < COUNT; id++)
		((union locals *)locals[id])->end = end_in_run(id);
	explore_arena(&shared, sizeof(shared));
	name_end(HOST, "host");
	name_end(LWK, "lwk");
	if (plan->deaths[HOST] || plan->deaths[LWK])
		memcpy(((union locals *)locals[MONITOR])->monitor.deaths, plan->deaths,
		       sizeof(plan->deaths));
}

static bool may_stay_open(const struct end *own, uint32_t index)
{
	enum closing closing = plan->closing[own->id];

	return own->channels.ends[index].state == IKC_CHANNEL_OPEN &&
	       (closing == NEVER || closing == ANY_TIME) &&
	       own->uses[index].sent == plan->messages[own->id];
}

static void check_settled(void *const locals[])
{
	const struct end *host = locals[HOST], *lwk = locals[LWK];

	if (host->link.state != IKC_LINK_RUN || lwk->link.state != IKC_LINK_RUN)
		explore_fail("an end is stuck short of RUN");
	for (uint32_t index = 0; index < IKC_CHANNELS; index++) {
		const struct end *opener = locals[index];
		bool free = host->channels.ends[index].state == IKC_CHANNEL_FREE &&
			    lwk->channels.ends[index].state == IKC_CHANNEL_FREE;

		if (free && opener->opens)
			explore_fail("an end waits for a channel that is free");
		if (free)
			continue;
		if (!may_stay_open(host, index) || !may_stay_open(lwk, index))
			explore_fail("an end waits for the other, which waits too");
		if (host->uses[index].taken != lwk->uses[index].sent ||
		    lwk->uses[index].taken != host->uses[index].sent)
			explore_fail("a message is left");
	}
}

static void check_reason(const void *address, uint64_t value)
{
	bool reason = address == &shared.halves[HOST][LWK].reset_reason ||
		      address == &shared.halves[LWK][HOST].reset_reason;

	if (reason && value >= IKC_RESET_BAD_STATE && value != IKC_RESET_LOCAL)
		explore_fail("an honest peer is blamed for a reset");
}

static void explore_plan(const struct plan *explored)
{
	struct explore_model model = {
		.name = explored->name,
		.threads = explored->deaths[HOST] || explored->deaths[LWK] ? 3 : 2,
		.thread_names = { "host", "lwk", "monitor" },
		.locals_size = sizeof(union locals),
		.weak_stores = explored->weak_stores,
		.setup = setup,
		.run = run,
		.check_settled = check_settled,
		.other_store = check_reason,
	};

	plan = explored;
	explore_expect(&model, NULL);
}

static void test_channel_comes_and_goes_in_every_interleaving(void)
{
	explore_plan(&(struct plan){ .name = "opened, and left open", .opens = { 1 }, .messages = { 1, 1 } });
	explore_plan(&(struct plan){ .name = "opened and closed twice, by the opener",
				     .opens = { 2 },
				     .messages = { 1, 1 },
				     .closing = { WHEN_SENT, NEVER } });
	explore_plan(&(struct plan){ .name = "opened and closed twice, by the other end",
				     .opens = { 2 },
				     .messages = { 1, 1 },
				     .closing = { NEVER, WHEN_SENT } });
	explore_plan(&(struct plan){ .name = "closed by both at once",
				     .opens = { 2 },
				     .messages = { 1, 1 },
				     .closing = { WHEN_SENT, WHEN_SENT } });
	explore_plan(&(struct plan){ .name = "refused, then accepted",
				     .opens = { 2 },
				     .messages = { 1, 1 },
				     .refusals = 1 });
}

static void test_channel_is_given_up_in_every_interleaving(void)
{
	explore_plan(&(struct plan){ .name = "asked for and closed at once, three times",
				     .opens = { 3 },
				     .refusals = 1,
				     .closing = { AT_ONCE, NEVER } });
	explore_plan(&(struct plan){ .name = "accepted and closed at once, three times",
				     .opens = { 3 },
				     .closing = { NEVER, AT_ONCE } });
	explore_plan(&(struct plan){ .name = "closed at once by both, three times",
				     .opens = { 3 },
				     .closing = { AT_ONCE, AT_ONCE } });
}

static void test_two_channels_do_not_hinder_each_other(void)
{
	explore_plan(&(struct plan){ .name = "one opened by each end",
				     .opens = { 1, 1 },
				     .closing = { AT_ONCE, NEVER } });
}

static void test_channel_is_closed_at_any_time(void)
{
	struct plan any_time = { .name = "closed at any time by both",
				 .opens = { 2 },
				 .messages = { 1, 1 },
				 .closing = { ANY_TIME, ANY_TIME } };

	explore_plan(&any_time);
	any_time.name = "closed at any time by both, weak stores";
	any_time.weak_stores = true;
	explore_plan(&any_time);
}

static void test_channel_is_free_again_after_a_death_at_any_moment(void)
{
	explore_plan(&(struct plan){
		.name = "the other end dies", .opens = { 1 }, .messages = { 1 }, .deaths = { 0, 1 } });
	explore_plan(&(struct plan){ .name = "the opener dies", .opens = { 1 }, .deaths = { 1, 0 } });
	explore_plan(&(struct plan){ .name = "the opener is reloaded", .opens = { 1 }, .reloads = 1 });
}

static void test_channel_survives_much_trouble(void)
{
	for (uint32_t id = 0; id < COUNT; id++) {
		explore_plan(&(struct plan){ .name = "used both ways, and one dies",
					     .opens = { 1 },
					     .messages = { 1, 1 },
					     .closing = { WHEN_SENT, NEVER },
					     .deaths = { id == HOST, id == LWK } });
		explore_plan(&(struct plan){ .name = "closed by both, and one dies, weak stores",
					     .opens = { 1 },
					     .closing = { WHEN_SENT, WHEN_SENT },
					     .deaths = { id == HOST, id == LWK },
					     .weak_stores = true });
	}
	explore_plan(&(struct plan){ .name = "used, closed and reloaded",
				     .opens = { 1 },
				     .messages = { 1 },
				     .closing = { WHEN_SENT, NEVER },
				     .reloads = 1 });
	explore_plan(&(struct plan){ .name = "opened by both ends, and closed at any time",
				     .opens = { 1, 1 },
				     .closing = { ANY_TIME, AT_ONCE } });
}

int main(void)
{
	RUN(test_channel_comes_and_goes_in_every_interleaving);
	RUN(test_channel_is_given_up_in_every_interleaving);
	RUN(test_channel_is_free_again_after_a_death_at_any_moment);
	RUN(test_two_channels_do_not_hinder_each_other);
	RUN(test_channel_is_closed_at_any_time);
	if (soaking())
		RUN(test_channel_survives_much_trouble);
	return 0;
}
