/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels between two kernels of two threads each: a program that opens channels, talks and closes
 * them, and an interrupt handler that answers what the peer's program does. Both kernels do so at once.
 */
#include "channel_pair.h"
#include "ikc_pool.h"

#include <pthread.h>
#include <string.h>

#include "check.h"
#include "doorbell.h"

#define LENGTH 200u /* of a message; two slots */
#define HANG_UP 0xffu

static const struct ikc_terms terms = { 300, 40000, 4711, LENGTH };

/* What a kernel has of a channel. */
struct use {
	bool ours, may_take, may_send, ended, gone, denied;
	struct ikc_sender sender;
	struct ikc_receiver receiver;
	struct ikc_loans loans;
	uint32_t sent, answered;
};

struct kernel {
	struct ikc_channels *channels;
	struct kernel *peer;
	uint8_t *own_pool;
	const uint8_t *peer_pool;
	struct doorbell doorbell;
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct use uses[IKC_CHANNELS];
	struct ikc_pool pool;
	bool acted; /* since the peer was rung */
	bool stops;
	uint32_t rounds, asked, lent, refused;
};

static struct channel_pair pair;
static struct kernel kernels[COUNT];

static uint8_t byte_of(uint32_t number)
{
	return (uint8_t)(number % 251);
}

/* ---- the interrupt handler; under the lock ---- */

static void begin_use(struct use *use, bool ours)
{
	use->ours = ours;
	use->may_take = true;
	use->may_send = ours;
	ikc_loans_begin(&use->loans, &use->sender);
}

static void answer_request(struct kernel *own, uint32_t index, const struct ikc_terms *found)
{
	struct use *use = &own->uses[index];

	CHECK_EQ(found->magic, terms.magic);
	memset(use, 0, sizeof(*use));
	if (++own->asked % 7 == 0) {
		ikc_channel_refuse(own->channels, index, IKC_REFUSAL_BUSY);
		return;
	}
	ikc_channel_accept(own->channels, index, IKC_VECTOR_CHANNEL, &use->sender, &use->receiver);
	begin_use(use, false);
}

static void close_channel(struct kernel *own, uint32_t index)
{
	ikc_channel_close(own->channels, index, &own->uses[index].sender);
	own->uses[index].may_take = own->uses[index].may_send = false;
	own->acted = true;
}

static void look(struct kernel *own, uint32_t index)
{
	struct use *use = &own->uses[index];
	struct ikc_terms found = { 0 };
	enum ikc_channel_news news = ikc_channel_look(own->channels, index, &found);

	own->acted |= news != IKC_CHANNEL_NO_NEWS && news != IKC_CHANNEL_ENDED;
	switch (news) {
	case IKC_CHANNEL_ASKED:
		answer_request(own, index, &found);
		break;
	case IKC_CHANNEL_ACCEPTED:
		ikc_channel_confirm(own->channels, index, &use->sender, &use->receiver);
		begin_use(use, true);
		break;
	case IKC_CHANNEL_OPENED:
		use->may_send = true;
		break;
	case IKC_CHANNEL_DENIED:
		use->denied = true;
		break;
	case IKC_CHANNEL_ENDED:
		use->ended = true;
		break;
	case IKC_CHANNEL_GONE:
		if (use->sender.slots)
			ikc_loans_end(&use->loans, &own->pool, &use->sender);
		use->gone = true;
		break;
	case IKC_CHANNEL_BROKEN:
		check_failed(__FILE__, __LINE__, "an honest peer is not blamed");
	default:
		break;
	}
}

static void check_payload(const uint8_t *payload, uint32_t length)
{
	CHECK_EQ(length, LENGTH);
	for (uint32_t i = 1; i < length; i++)
		CHECK_EQ(payload[i], payload[0]);
}

/* Looks at the next message where it lies, and leaves it there. False: there is none. */
static bool peek_payload(const struct kernel *own, struct use *use, struct ikc_message *message,
			 uint8_t *payload)
{
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint32_t length;
	int result = ikc_peek(&use->receiver, message, buffer, sizeof(buffer));
	const uint8_t *at = buffer;

	if (result == IKC_EMPTY)
		return false;
	CHECK_EQ(result, IKC_OK);
	length = message->length;
	if (message->to_port == IKC_PACKET_LENT)
		at = ikc_lent(own->peer_pool, message, buffer, &length);
	CHECK(at);
	memcpy(payload, at, LENGTH);
	check_payload(payload, length);
	return true;
}

/* Sends back what comes, as long as there is room; hangs up if asked to. */
static void echo(struct kernel *own, uint32_t index)
{
	struct use *use = &own->uses[index];
	struct ikc_message message, copy = { LENGTH, IKC_PACKET_COPIED, 0 };
	uint8_t payload[LENGTH];

	while (use->may_send && peek_payload(own, use, &message, payload)) {
		if (payload[0] == HANG_UP) {
			close_channel(own, index);
			return;
		}
		if (ikc_send(&use->sender, &copy, payload) == IKC_FULL)
			return;
		ikc_take(&use->receiver, &message);
		own->acted = true;
	}
	if (use->ended)
		close_channel(own, index);
}

static void take_answers(struct kernel *own, struct use *use)
{
	struct ikc_message message;
	uint8_t payload[LENGTH];

	while (peek_payload(own, use, &message, payload)) {
		CHECK_EQ(payload[0], byte_of(use->answered++));
		ikc_take(&use->receiver, &message);
		own->acted = true;
	}
}

static void serve(struct kernel *own)
{
	for (uint32_t index = 0; index < IKC_CHANNELS; index++) {
		struct use *use = &own->uses[index];

		if (use->may_take && use->ours)
			take_answers(own, use);
		else if (use->may_take)
			echo(own, index);
	}
}

static void tell_peer(struct kernel *own)
{
	if (own->acted)
		doorbell_ring(&own->peer->doorbell);
	own->acted = false;
}

static void *handle_interrupts(void *argument)
{
	struct kernel *own = argument;
	bool stops;

	do {
		doorbell_sleep(&own->doorbell, "an interrupt handler");
		pthread_mutex_lock(&own->lock);
		do {
			if (ikc_channels_changed(own->channels))
				for (uint32_t index = 0; index < IKC_CHANNELS; index++)
					look(own, index);
			serve(own);
		} while (!own->channels->looked); /* it has closed one */
		tell_peer(own);
		stops = own->stops;
		pthread_cond_broadcast(&own->news);
		pthread_mutex_unlock(&own->lock);
	} while (!stops);
	return NULL;
}

/* ---- the program; it holds the lock but while it waits ---- */

static void wait_for(struct kernel *own, const char *what)
{
	struct timespec deadline;

	tell_peer(own);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += DEADLINE_S;
	if (!pthread_cond_timedwait(&own->news, &own->lock, &deadline))
		return;
	fprintf(stderr, "waited %d s for %s\n", DEADLINE_S, what);
	check_failed(__FILE__, __LINE__, "nobody waits for ever");
}

/* Returns the channel, or IKC_FULL if it was refused. */
static int open_channel(struct kernel *own)
{
	struct use *use;
	int index;

	while ((index = ikc_channel_open(own->channels, &terms, IKC_VECTOR_CHANNEL)) == IKC_FULL)
		wait_for(own, "a free channel");
	use = &own->uses[index];
	memset(use, 0, sizeof(*use));
	own->acted = true;
	while (!use->may_send && !use->denied)
		wait_for(own, "an answer to the request");
	return use->denied ? IKC_FULL : index;
}

static int lend(struct kernel *own, struct use *use, uint8_t byte)
{
	int first, result;

	CHECK_EQ(ikc_loans_reap(&use->loans, &own->pool, &use->sender), IKC_OK);
	first = ikc_pool_take(&own->pool, 1);
	if (first == IKC_FULL)
		return IKC_FULL;
	memset(own->own_pool + (uint32_t)first * IKC_PAGE_SIZE, byte, LENGTH);
	result = ikc_lend(&use->loans, &use->sender, (uint32_t)first, LENGTH);
	if (result != IKC_OK)
		ikc_pool_give(&own->pool, (uint32_t)first, 1);
	own->lent += result == IKC_OK;
	return result;
}

static int send_bytes(struct kernel *own, struct use *use, uint8_t byte)
{
	const struct ikc_message message = { LENGTH, IKC_PACKET_COPIED, 0 };
	uint8_t payload[LENGTH];

	if (byte % 2)
		return lend(own, use, byte);
	memset(payload, byte, sizeof(payload));
	return ikc_send(&use->sender, &message, payload);
}

static void send_or_wait(struct kernel *own, struct use *use, uint8_t byte)
{
	int result;

	while ((result = send_bytes(own, use, byte)) == IKC_FULL)
		wait_for(own, "room in the ring");
	CHECK_EQ(result, IKC_OK);
	own->acted = true;
}

static void talk_over(struct kernel *own, uint32_t index, uint32_t messages, bool closes_first)
{
	struct use *use = &own->uses[index];

	while (use->sent < messages)
		send_or_wait(own, use, byte_of(use->sent++));
	if (!closes_first)
		send_or_wait(own, use, HANG_UP);
	while (closes_first ? use->answered < messages : !use->ended)
		wait_for(own, "the answers, or the end");
	take_answers(own, use);
	CHECK_EQ(use->answered, messages);
	close_channel(own, index);
	doorbell_ring(&own->doorbell);
	while (!use->gone)
		wait_for(own, "the channel to be gone");
}

static void *run_program(void *argument)
{
	struct kernel *own = argument;

	pthread_mutex_lock(&own->lock);
	for (uint32_t round = 0; round < own->rounds; round++) {
		int index = open_channel(own);

		if (index >= 0)
			talk_over(own, (uint32_t)index, round % 90, round % 3 > 0);
		own->refused += index < 0;
	}
	tell_peer(own);
	pthread_mutex_unlock(&own->lock);
	return NULL;
}

/* ---- the test ---- */

static void kernel_create(uint32_t id, uint32_t rounds)
{
	struct ikc_map map = map_of(&pair.memory, 0);
	struct kernel *kernel = &kernels[id];

	memset(kernel, 0, sizeof(*kernel));
	kernel->channels = &pair.channels[id];
	kernel->peer = &kernels[COUNT - 1 - id];
	kernel->own_pool = ikc_partition_at(&map, id)->pool;
	kernel->peer_pool = ikc_partition_at(&map, COUNT - 1 - id)->pool;
	kernel->rounds = rounds;
	pthread_mutex_init(&kernel->lock, NULL);
	pthread_cond_init(&kernel->news, NULL);
}

static void kernel_stop(struct kernel *kernel)
{
	pthread_mutex_lock(&kernel->lock);
	kernel->stops = true;
	pthread_mutex_unlock(&kernel->lock);
	doorbell_ring(&kernel->doorbell);
}

static void test_channels_of_two_busy_kernels(void)
{
	pthread_t programs[COUNT], handlers[COUNT];

	channel_pair_create(&pair, 1);
	for (uint32_t id = 0; id < COUNT; id++)
		kernel_create(id, soaking() ? 20000 : 1000);
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK(!pthread_create(&handlers[id], NULL, handle_interrupts, &kernels[id]));
		CHECK(!pthread_create(&programs[id], NULL, run_program, &kernels[id]));
	}
	for (uint32_t id = 0; id < COUNT; id++)
		CHECK(!pthread_join(programs[id], NULL));
	for (uint32_t id = 0; id < COUNT; id++) {
		kernel_stop(&kernels[id]);
		CHECK(!pthread_join(handlers[id], NULL));
	}
	for (uint32_t id = 0; id < COUNT; id++) {
		CHECK_EQ(kernels[id].asked, kernels[id].rounds);
		CHECK_EQ(kernels[COUNT - 1 - id].refused, kernels[id].asked / 7);
		CHECK(kernels[id].lent > 1000);
		for (uint32_t page = 0; page < IKC_POOL_PAGES; page++)
			CHECK(!ikc_pool_is_used(&kernels[id].pool, page));
	}
	guarded_destroy(&pair.memory);
}

int main(void)
{
	RUN(test_channels_of_two_busy_kernels);
	return 0;
}
