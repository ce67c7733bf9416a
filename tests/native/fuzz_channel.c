/* SPDX-License-Identifier: Apache-2.0 */
/* A link and its channels whose peer, and the monitor's word about its life, are what libFuzzer likes. */
#include "check.h"
#include "fuzz.h"
#include "ikc_channel.h"
#include "ikc_pool.h"
#include "region_pair.h"

enum { OWN, PEER, COUNT };

struct use {
	bool may_take, may_send;
	struct ikc_sender sender;
	struct ikc_receiver receiver;
	struct ikc_loans loans;
};

static struct guarded memory;
static struct ikc_half *half; /* the peer's */
static struct ikc_mailbox *mailbox;
static uint8_t *buffer, *peer_pool;

static struct ikc_link own_link;
static struct ikc_channels channels;
static struct use uses[IKC_CHANNELS];
static struct ikc_pool pool;

static void begin(void)
{
	struct ikc_map map;

	if (!memory.size) {
		memory = region_create(COUNT);
		buffer = guarded_end(IKC_MESSAGE_MAX);
		peer_pool = guarded_end(IKC_POOL_SIZE); /* not the one in the region: behind that there is more */
	}
	map = map_of(&memory, 0);
	half = ikc_half_at(&map, PEER, OWN);
	mailbox = &ikc_partition_at(&map, PEER)->mailbox;
	memset(ikc_half_at(&map, OWN, PEER), 0, sizeof(*half));
	memset(half, 0, sizeof(*half));
	memset(uses, 0, sizeof(uses));
	memset(&pool, 0, sizeof(pool));
	mailbox->alive = mailbox->incarnation = 1;
	ikc_link_init(&own_link, &map, OWN, PEER, 1);
	ikc_channels_init(&channels, &own_link);
}

/* One that we open and one that the peer opens: all are alike. */
static uint32_t choose_channel(struct script *script)
{
	return script_choice(script, 2) * IKC_CHANNELS / 2;
}

/* ---- the kernel under test ---- */

static void end_use(struct use *use)
{
	if (use->may_take)
		ikc_loans_end(&use->loans, &pool, &use->sender);
	memset(use, 0, sizeof(*use));
}

static void all_are_gone(void)
{
	for (uint32_t index = 0; index < IKC_CHANNELS; index++)
		end_use(&uses[index]);
	for (uint32_t page = 0; page < IKC_POOL_PAGES; page++)
		CHECK(!ikc_pool_is_used(&pool, page));
}

static void settle(void)
{
	bool changed = ikc_link_settle(&own_link);

	CHECK(own_link.state <= IKC_LINK_RUN);
	if (changed) {
		all_are_gone();
		if (own_link.state == IKC_LINK_RUN)
			ikc_channels_begin(&channels);
	}
}

static void fault(enum ikc_reset_reason reason)
{
	ikc_link_fault(&own_link, reason);
	CHECK_EQ(own_link.state, IKC_LINK_RESET);
	all_are_gone();
}

static void begin_use(uint32_t index, bool may_send)
{
	uses[index].may_take = true;
	uses[index].may_send = may_send;
	ikc_loans_begin(&uses[index].loans, &uses[index].sender);
}

static void look(struct script *script, uint32_t index)
{
	struct use *use = &uses[index];
	struct ikc_terms terms;

	ikc_channels_changed(&channels);
	CHECK(ikc_channel_vector(&channels, index) < IKC_VECTORS);
	switch (ikc_channel_look(&channels, index, &terms)) {
	case IKC_CHANNEL_ASKED:
		if (script_choice(script, 4) == 3) {
			ikc_channel_refuse(&channels, index, IKC_REFUSAL_BUSY);
			return;
		}
		ikc_channel_accept(&channels, index, IKC_VECTOR_CHANNEL, &use->sender, &use->receiver);
		begin_use(index, false);
		break;
	case IKC_CHANNEL_ACCEPTED:
		ikc_channel_confirm(&channels, index, &use->sender, &use->receiver);
		begin_use(index, true);
		break;
	case IKC_CHANNEL_OPENED:
		use->may_send = true;
		break;
	case IKC_CHANNEL_DENIED:
		CHECK(ikc_refusal_word(terms.magic) != NULL);
		break;
	case IKC_CHANNEL_GONE:
		end_use(use);
		break;
	case IKC_CHANNEL_BROKEN:
		fault(IKC_RESET_BAD_CHANNEL);
		break;
	default:
		break;
	}
}

static void close_channel(uint32_t index)
{
	enum ikc_channel_state state = channels.ends[index].state;

	if (state == IKC_CHANNEL_OPENING || state == IKC_CHANNEL_OPEN)
		ikc_channel_close(&channels, index, uses[index].may_take ? &uses[index].sender : NULL);
}

static void lend(struct script *script, struct use *use)
{
	uint32_t pages = 1 + script_choice(script, 8);
	int first, result = ikc_loans_reap(&use->loans, &pool, &use->sender);

	if (result == IKC_OK) {
		first = ikc_pool_take(&pool, pages);
		if (first == IKC_FULL)
			return;
		result = ikc_lend(&use->loans, &use->sender, (uint32_t)first, pages * IKC_PAGE_SIZE);
		if (result != IKC_OK)
			ikc_pool_give(&pool, (uint32_t)first, pages);
	}
	if (result == IKC_BAD_TAIL)
		fault(IKC_RESET_BAD_TAIL);
}

static void take(struct use *use)
{
	struct ikc_message message;
	uint32_t length;
	int result = ikc_peek(&use->receiver, &message, buffer, IKC_MESSAGE_MAX);

	if (result == IKC_BAD_LENGTH) {
		fault(IKC_RESET_BAD_LENGTH);
	} else if (result == IKC_OK) {
		const uint8_t *at = ikc_lent(peer_pool, &message, buffer, &length);

		if (at && length)
			buffer[0] = at[0] ^ at[length - 1];
		ikc_take(&use->receiver, &message);
	}
}

static void kernel_moves(struct script *script)
{
	static const struct ikc_terms terms = { 300, 40000, 4711, 512 };
	uint32_t index = choose_channel(script);
	bool is_open;

	settle();
	if (own_link.state != IKC_LINK_RUN)
		return;
	is_open = channels.ends[index].state == IKC_CHANNEL_OPEN;
	switch (script_choice(script, 5)) {
	case 0:
		ikc_channel_open(&channels, &terms, IKC_VECTOR_CHANNEL);
		break;
	case 1:
		close_channel(index);
		break;
	case 2:
		look(script, index);
		break;
	case 3:
		if (is_open && uses[index].may_send)
			lend(script, &uses[index]);
		break;
	default:
		if (is_open)
			take(&uses[index]);
	}
}

/* ---- the peer: what no fuzzer guesses it is given ---- */

static void peer_shakes_hands(struct script *script)
{
	uint32_t generation = mailbox->incarnation << 16 | (1 + script_choice(script, 2));

	half->lives = (uint64_t)generation << 32 | own_link.generation;
	half->state = IKC_LINK_READY;
}

static void peer_speaks_of_a_channel(struct script *script)
{
	uint32_t index = choose_channel(script);

	half->channels[index].life = channels.ends[index].life + script_choice(script, 4) / 3;
	half->channels[index].state = script_choice(script, IKC_CHANNEL_CLOSED + 2);
	half->channel_turn++;
}

static void peer_sends(struct script *script)
{
	uint32_t index = choose_channel(script);
	const struct ikc_receiver *receiver = &uses[index].receiver;
	struct ikc_slot *slot = &half->channel_slots[index][receiver->tail % IKC_CHANNEL_SLOTS];

	slot->stamp = ikc_stamp(receiver->generation, receiver->tail);
	slot->length = script_choice(script, 4) ? sizeof(struct ikc_reference) : script_choice(script, 8000);
	slot->to_port = IKC_PACKET_LENT;
	script_scribbles(script, slot->data, sizeof(struct ikc_reference));
}

static void peer_takes(struct script *script)
{
	uint32_t index = choose_channel(script);

	half->channel_cursors[index].tail = uses[index].sender.head - script_choice(script, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { data, data + size };

	begin();
	while (script.at < script.end) {
		switch (script_choice(&script, 16)) {
		case 0 ... 7:
			kernel_moves(&script);
			break;
		case 8:
			peer_shakes_hands(&script);
			break;
		case 9 ... 10:
			peer_speaks_of_a_channel(&script);
			break;
		case 11:
			peer_sends(&script);
			break;
		case 12:
			peer_takes(&script);
			break;
		case 13:
			script_scribbles(&script, half, offsetof(struct ikc_half, control));
			break;
		case 14:
			script_scribbles(&script, half->channels, sizeof(half->channels));
			break;
		default:
			script_scribbles(&script, mailbox, 8);
		}
	}
	all_are_gone();
	return 0;
}
