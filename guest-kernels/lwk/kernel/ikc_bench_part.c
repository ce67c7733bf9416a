/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both parts of the measurements over a channel, which is taken over for that. Each kind has the bare
 * one beside it that it is compared with: the same CPUs, the same way to wait.
 */
#include <arch/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc_bench.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_pool.h>
#include <lwk/ivshmem.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/timer.h>

#define LOOKS 256 /* between two at the clock */

/* ---- waiting ---- */

static void tick(void *arg)
{
	struct bench *bench = arg;

	bench->ticks++;
	timer_arm(BENCH_TICK_MS * NS_PER_MS, tick, bench);
}

void bench_start_ticks(struct bench *bench)
{
	bench->ticks = 0;
	timer_arm(BENCH_TICK_MS * NS_PER_MS, tick, bench);
}

void bench_stop_ticks(void)
{
	timer_cancel();
}

static bool sleeps(const struct bench *bench)
{
	return bench->kind == IKC_BENCH_ECHO_BELL || bench->kind == IKC_BENCH_BARE_BELL;
}

/* Until an interrupt, if there is still nothing. */
#define rest(ready)                                                                                \
	do {                                                                                       \
		interrupts_disable();                                                              \
		if (ready)                                                                         \
			interrupts_enable();                                                       \
		else                                                                               \
			halt_until_interrupt();                                                    \
	} while (0)

static bool has_news(const struct channel *channel)
{
	return ikc_receiver_ready(&channel->receiver) || channel_flag(&channel->peer_closed) ||
	       channel_state(channel) != CHANNEL_OPEN;
}

/* The next message. 0, -ETIMEDOUT or -ENOTCONN. */
IKC_SHORT int await(struct bench *bench, struct channel_message *message)
{
	uint32_t since = ikc_load(&bench->ticks);
	int err;

	while ((err = channel_peek(bench->channel, message, bench->buffer)) == -EAGAIN) {
		if (bench_is_late(bench, since))
			return -ETIMEDOUT;
		if (sleeps(bench))
			rest(has_news(bench->channel));
		else
			ikc_receiver_spin(&bench->channel->receiver, LOOKS);
	}
	return err;
}

IKC_SHORT void take(struct bench *bench, const struct channel_message *message)
{
	channel_take(bench->channel, message);
	channel_give_room(bench->channel);
}

/* Nobody rings for room here: it comes while the peer is awake. */
IKC_SHORT int push(struct bench *bench, const void *payload, uint32_t length)
{
	uint32_t since = ikc_load(&bench->ticks);
	int err;

	while ((err = channel_send(bench->channel, payload, length)) == -EAGAIN)
		if (bench_is_late(bench, since))
			return -ETIMEDOUT;
	return err;
}

static int push_lent(struct bench *bench)
{
	uint32_t since = ikc_load(&bench->ticks);
	int err, first;

	for (;;) {
		first = ikc_pool_claim(bench->size, NULL);
		if (first >= 0) {
			err = channel_lend(bench->channel, first, bench->size);
			if (err)
				ikc_pool_release(first, bench->size);
		} else {
			/* looks what was taken */
			err = channel_wait_for_room(bench->channel, sizeof(struct ikc_reference));
			err = err ? err : -EAGAIN;
		}
		if (err != -EAGAIN)
			return err;
		if (bench_is_late(bench, since))
			return -ETIMEDOUT;
	}
}

/* The peer's word, as it counts. */
static int await_word(struct bench *bench, uint64_t due)
{
	uint32_t since = ikc_load(&bench->ticks);

	while (ikc_load_acquire(bench->peer) != due) {
		if (bench_is_late(bench, since))
			return -ETIMEDOUT;
		if (sleeps(bench))
			rest(ikc_load_acquire(bench->peer) == due);
	}
	return 0;
}

static void say_word(struct bench *bench, uint64_t word)
{
	struct channel *channel = bench->channel;

	ikc_store_release(bench->own, word);
	if (sleeps(bench))
		ivshmem_ring(channel->peer->id,
			     ikc_channel_vector(&channel->peer->channels, channel->index));
}

/* ---- the service's parts: 0 or negative errno ---- */

static int serve_echo(struct bench *bench)
{
	struct channel_message message;
	int err = 0;

	for (uint32_t i = 0; !err && i < bench->count; i++) {
		err = await(bench, &message);
		if (!err)
			err = push(bench, message.payload, message.length);
		if (!err)
			take(bench, &message);
	}
	return err;
}

static int serve_bare(struct bench *bench)
{
	int err = 0;

	for (uint64_t i = 1; !err && i <= bench->count; i++) {
		err = await_word(bench, i);
		if (!err)
			say_word(bench, i);
	}
	return err;
}

/* In the pool; 0 if there is none. */
static uint64_t word_offset(const struct bench *bench)
{
	return bench->own ? (uint8_t *)bench->own - ikc_local.partition->pool : 0;
}

static int send_answer(struct bench *bench, enum ikc_bench_fault fault)
{
	struct ikc_bench_answer answer = {
		.kind = bench->kind,
		.fault = fault,
		.offset = word_offset(bench),
	};

	return push(bench, &answer, sizeof(answer));
}

/* SINK and BULK. What was lent is copied before it is taken. */
static int serve_flow(struct bench *bench)
{
	struct channel_message message;
	int err = 0;

	for (uint32_t i = 0; !err && i < bench->count; i++) {
		err = await(bench, &message);
		if (err)
			return err;
		if (message.lent)
			memcpy(bench->buffer, message.payload, MIN(message.length, bench->size));
		take(bench, &message);
	}
	return err ? err : send_answer(bench, IKC_BENCH_FINE);
}

static int serve_part(struct bench *bench)
{
	int err = send_answer(bench, IKC_BENCH_FINE);

	if (err)
		return err;
	switch (bench->kind) {
	case IKC_BENCH_ECHO_POLL:
	case IKC_BENCH_ECHO_BELL:
		return serve_echo(bench);
	case IKC_BENCH_BARE_POLL:
	case IKC_BENCH_BARE_BELL:
		return serve_bare(bench);
	default:
		return serve_flow(bench);
	}
}

/* ---- the opener's parts ---- */

/* Sends the next before it takes the last, so that nobody waits for that. */
static int measure_echo(struct bench *bench, const uint8_t *payload)
{
	struct channel_message message;
	int err = push(bench, payload, bench->size);

	for (uint32_t i = 1; !err && i <= bench->count; i++) {
		err = await(bench, &message);
		if (!err && i < bench->count)
			err = push(bench, payload, bench->size);
		if (!err)
			take(bench, &message);
	}
	return err;
}

static int measure_bare(struct bench *bench)
{
	int err = 0;

	for (uint64_t i = 1; !err && i <= bench->count; i++) {
		say_word(bench, i);
		err = await_word(bench, i);
	}
	return err;
}

/* 0 and the service's fault, which may be none; or negative errno. */
static int take_answer(struct bench *bench, struct ikc_bench_answer *answer)
{
	struct channel_message message;
	int err = await(bench, &message);

	if (err)
		return err;
	if (message.lent || message.length != sizeof(*answer))
		return -EPROTO;
	memcpy(answer, message.payload, sizeof(*answer));
	take(bench, &message);
	return answer->kind == bench->kind ? 0 : -EPROTO;
}

static int measure_flow(struct bench *bench, const uint8_t *payload)
{
	struct ikc_bench_answer answer;
	int err = 0;

	for (uint32_t i = 0; !err && i < bench->count; i++)
		err = bench->kind == IKC_BENCH_BULK ? push_lent(bench)
						    : push(bench, payload, bench->size);
	return err ? err : take_answer(bench, &answer);
}

static int measure_part(struct bench *bench)
{
	static const uint8_t payload[IKC_MESSAGE_MAX];

	switch (bench->kind) {
	case IKC_BENCH_ECHO_POLL:
	case IKC_BENCH_ECHO_BELL:
		return measure_echo(bench, payload);
	case IKC_BENCH_BARE_POLL:
	case IKC_BENCH_BARE_BELL:
		return measure_bare(bench);
	default:
		return measure_flow(bench, payload);
	}
}

static int take_peer_word(struct bench *bench, uint64_t offset)
{
	const uint8_t *pool = ikc_partition_at(&ikc_local.map, bench->channel->peer->id)->pool;

	if (offset % CACHE_LINE || offset > IKC_POOL_SIZE - CACHE_LINE)
		return -EPROTO;
	bench->peer = (const uint64_t *)(pool + offset);
	return 0;
}

static int ask_and_measure(struct bench *bench, uint32_t *fault)
{
	struct ikc_bench_request request = {
		.kind = bench->kind,
		.size = bench->size,
		.count = bench->count,
		.cpu = bench->peer_cpu,
		.offset = word_offset(bench),
	};
	struct ikc_bench_answer answer = { 0 };
	uint64_t begin;
	int err = push(bench, &request, sizeof(request));

	if (!err)
		err = take_answer(bench, &answer);
	if (!err)
		err = take_peer_word(bench, answer.offset);
	*fault = answer.fault;
	if (err || *fault)
		return err;
	begin = time_ns();
	err = measure_part(bench);
	bench->ns = time_ns() - begin;
	return err;
}

/* ---- what a part needs ---- */

static unsigned int order_of(uint32_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static bool has_words(const struct bench *bench)
{
	return bench->kind == IKC_BENCH_BARE_POLL || bench->kind == IKC_BENCH_BARE_BELL;
}

static bool prepare_word(struct bench *bench)
{
	int first = ikc_pool_claim(sizeof(*bench->own), NULL);

	if (first < 0)
		return false;
	bench->own = ikc_pool_page(first);
	ikc_store_ordered(bench->own, 0);
	return true;
}

static bool prepare_doorbells(struct bench *bench)
{
	if (channel_serve_on(bench->channel, bench->cpu_id))
		return false;
	channel_be_rung(bench->channel, true);
	return true;
}

/* False: this CPU cannot have what it needs. */
static bool prepare(struct bench *bench)
{
	paddr_t pages = page_alloc(order_of(bench->size), NODE_LOCAL, 0);

	if (!pages)
		return false;
	bench->buffer = phys_to_virt(pages);
	return (!has_words(bench) || prepare_word(bench)) && (!sleeps(bench) || prepare_doorbells(bench));
}

static void clean_up(struct bench *bench)
{
	if (bench->buffer)
		page_free(virt_to_phys(bench->buffer), order_of(bench->size));
	if (bench->own)
		ikc_pool_release(word_offset(bench) / IKC_PAGE_SIZE, sizeof(*bench->own));
}

static enum ikc_bench_fault fault_of(int err)
{
	switch (err) {
	case 0:
		return IKC_BENCH_FINE;
	case -ETIMEDOUT:
		return IKC_BENCH_TOO_SLOW;
	default:
		return IKC_BENCH_NO_CHANNEL;
	}
}

enum ikc_bench_fault bench_serve(struct bench *bench, const struct ikc_bench_request *request)
{
	enum ikc_bench_fault fault = IKC_BENCH_BAD_REQUEST;

	bench_start_ticks(bench);
	channel_take_over(bench->channel);
	if (bench->ended)
		fault = IKC_BENCH_NO_CHANNEL;
	else if (prepare(bench) && !take_peer_word(bench, request->offset))
		fault = fault_of(serve_part(bench));
	else
		send_answer(bench, fault);
	channel_give_back(bench->channel);
	bench_stop_ticks();
	clean_up(bench);
	return fault;
}

enum ikc_bench_fault bench_measure(struct bench *bench)
{
	uint32_t fault = IKC_BENCH_BAD_REQUEST;
	int err = 0;

	bench_start_ticks(bench);
	channel_take_over(bench->channel);
	if (bench->ended)
		err = -ENOTCONN;
	else if (prepare(bench))
		err = ask_and_measure(bench, &fault);
	if (!bench->ended)
		channel_close(bench->channel);
	channel_give_back(bench->channel);
	bench_stop_ticks();
	clean_up(bench);
	return err ? fault_of(err) : (enum ikc_bench_fault)fault;
}
