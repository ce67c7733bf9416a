// SPDX-License-Identifier: GPL-2.0-only
/* Measurements over a channel: the opener's part (ikc_bench.h). */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/ktime.h>

#include "bench.h"
#include "ikc_bench.h"
#include "link.h"
#include "waiting.h"

#define BENCH_COUNT_MAX 10000000

/* At a word between two looks at the clock. */
#define BENCH_LOOKS 4096

struct bench {
	struct channel *channel;
	struct ikc_measure *measure;
	struct channel_next next;
	u8 *payload;	/* to be sent */
	int first;	/* page of the pool, for the word */
	u64 *own;	/* words of the bare kinds */
	const u64 *peer;
};

/* ---- waiting: at most IKC_BENCH_PATIENCE_MS without progress ---- */

static bool bench_is_late(u64 since)
{
	return ktime_get_ns() - since > (u64)IKC_BENCH_PATIENCE_MS * NSEC_PER_MSEC || signal_pending(current);
}

/* After each round trip or message: one that never waits is never told of a signal. */
static int bench_interrupted(void)
{
	return signal_pending(current) ? -ERESTARTSYS : 0;
}

/* What was lent stays in the ring: nobody here expects it. */
static int bench_try_receive(void *context)
{
	struct bench *bench = context;

	return channel_receive(bench->channel, &bench->next, IKC_POOL_SIZE);
}

/* Pages of the pool as they are: nothing is written there. */
static int bench_lend(struct bench *bench)
{
	struct lending *lending = bench->channel->link->lending;
	u32 size = bench->measure->size;
	int err, first = lending_take(lending, size);

	if (first == -EAGAIN) {
		channel_await_reaped(bench->channel);
		first = lending_take(lending, size);
	}
	if (first < 0)
		return first;
	err = channel_lend(bench->channel, first, size);
	if (err)
		lending_give(lending, first, size);
	return err;
}

static int bench_send(void *context)
{
	struct bench *bench = context;

	if (bench->measure->kind == IKC_BENCH_BULK)
		return bench_lend(bench);
	return channel_send(bench->channel, bench->payload, bench->measure->size);
}

static int bench_sleep_for(wait_queue_head_t *queue, int (*attempt)(void *), struct bench *bench)
{
	long left = msecs_to_jiffies(IKC_BENCH_PATIENCE_MS);
	int err = attempt(bench);

	return err == -EAGAIN ? waiting_for(queue, attempt, bench, &left) : err;
}

static int bench_receive(struct bench *bench)
{
	return bench_sleep_for(&bench->channel->readable, bench_try_receive, bench);
}

/* ---- the kinds ---- */

/* So many under one lock: others who want it wait for them. */
#define BENCH_EXCHANGES 64

static int bench_echo_poll(struct bench *bench)
{
	struct channel_exchange exchange = {
		.payload = bench->payload,
		.length = bench->measure->size,
		.next = bench->next,
	};
	u64 since = ktime_get_ns();
	u32 before;
	int err = 0;

	while (exchange.done < bench->measure->count && (!err || err == -EAGAIN)) {
		before = exchange.done;
		err = channel_exchange(bench->channel, &exchange,
				       min_t(u32, before + BENCH_EXCHANGES, bench->measure->count));
		if (exchange.done != before)
			since = ktime_get_ns();
		else if (err == -EAGAIN && bench_is_late(since))
			err = -ETIMEDOUT;
		err = bench_interrupted() ?: err;
		cond_resched();
	}
	return err == -EAGAIN ? 0 : err;
}

static int bench_echo_bell(struct bench *bench)
{
	u32 i;
	int err = 0;

	for (i = 0; i < bench->measure->count && !err; i++) {
		err = bench_interrupted() ?: bench_sleep_for(&bench->channel->writable, bench_send, bench);
		if (!err)
			err = bench_receive(bench);
	}
	return err;
}

static int bench_spin_until(const u64 *word, u64 due)
{
	u64 since = 0;
	u32 looks;

	for (looks = 1; ikc_load_acquire(word) != due; looks++) {
		cpu_relax();
		if (looks % BENCH_LOOKS)
			continue;
		if (!since)
			since = ktime_get_ns();
		if (bench_is_late(since))
			return bench_interrupted() ?: -ETIMEDOUT;
		cond_resched();
	}
	return 0;
}

static int bench_bare_poll(struct bench *bench)
{
	u64 i;
	int err = 0;

	for (i = 1; i <= bench->measure->count && !err; i++) {
		ikc_store_ordered(bench->own, i);
		err = bench_spin_until(bench->peer, i);
	}
	return err;
}

/* How far the peer's word has come. */
struct bench_word {
	const u64 *peer;
	u64 due;
};

static int bench_look(void *context)
{
	struct bench_word *word = context;

	return ikc_load_ordered(word->peer) == word->due ? 0 : -EAGAIN;
}

/* Its doorbells arrive at the channel's vector, which wakes everybody who has asked to be woken for nothing. */
static int bench_bare_bell(struct bench *bench)
{
	struct bench_word word = { .peer = bench->peer };
	u64 i;
	int err = 0;

	WRITE_ONCE(bench->channel->bare_waits, true);
	for (i = 1; i <= bench->measure->count && !err; i++) {
		long left = msecs_to_jiffies(IKC_BENCH_PATIENCE_MS);

		word.due = i;
		ikc_store_ordered(bench->own, i);
		channel_ring(bench->channel);
		err = bench_interrupted() ?: waiting_for(&bench->channel->readable, bench_look, &word, &left);
	}
	WRITE_ONCE(bench->channel->bare_waits, false);
	return err;
}

static int bench_one_way(struct bench *bench)
{
	u32 i;
	int err = 0;

	for (i = 0; i < bench->measure->count && !err; i++)
		err = bench_interrupted() ?: bench_sleep_for(&bench->channel->writable, bench_send, bench);
	return err ? err : bench_receive(bench); /* it has all of them */
}

static int bench_run(struct bench *bench)
{
	switch (bench->measure->kind) {
	case IKC_BENCH_ECHO_POLL:
		return bench_echo_poll(bench);
	case IKC_BENCH_ECHO_BELL:
		return bench_echo_bell(bench);
	case IKC_BENCH_BARE_POLL:
		return bench_bare_poll(bench);
	case IKC_BENCH_BARE_BELL:
		return bench_bare_bell(bench);
	default:
		return bench_one_way(bench);
	}
}

/* ---- asking for it ---- */

static int bench_take_answer(struct bench *bench)
{
	const struct ikc_partition *peer;
	struct ikc_bench_answer answer;

	if (bench->next.lent || bench->next.length != sizeof(answer))
		return -EPROTO;
	memcpy(&answer, bench->next.buffer, sizeof(answer));
	if (answer.kind != bench->measure->kind || answer.offset % sizeof(u64) ||
	    answer.offset > IKC_POOL_SIZE - sizeof(u64))
		return -EPROTO;
	peer = region_partition(bench->channel->link->region, bench->channel->link->ikc.peer_id);
	bench->peer = (const u64 *)(peer->pool + answer.offset);
	bench->measure->fault = answer.fault;
	return 0;
}

static int bench_ask(struct bench *bench)
{
	struct ikc_bench_request request = {
		.kind = bench->measure->kind,
		.size = bench->measure->size,
		.count = bench->measure->count,
		.cpu = bench->measure->peer_cpu,
		.offset = (u64)bench->first * IKC_PAGE_SIZE,
	};
	int err = channel_send(bench->channel, &request, sizeof(request));

	if (!err)
		err = bench_receive(bench);
	return err ? err : bench_take_answer(bench);
}

static int bench_ask_and_run(struct bench *bench)
{
	u64 begin;
	int err;

	ikc_store_ordered(bench->own, 0);
	err = bench_ask(bench);
	if (err || bench->measure->fault)
		return err;
	begin = ktime_get_ns();
	err = bench_run(bench);
	bench->measure->ns = ktime_get_ns() - begin;
	if (err != -ETIMEDOUT)
		return err;
	bench->measure->fault = IKC_BENCH_TOO_SLOW;
	return 0;
}

static bool bench_is_possible(const struct bench *bench)
{
	const struct ikc_measure *measure = bench->measure;
	u32 most = bench->channel->terms.packet_size;

	if (measure->kind == IKC_BENCH_BULK)
		most = IKC_POOL_SIZE / 2; /* a page is the word's */
	return measure->kind >= IKC_BENCH_ECHO_POLL && measure->kind <= IKC_BENCH_BULK && measure->size <= most &&
	       measure->count && measure->count <= BENCH_COUNT_MAX && !measure->reserved;
}

int bench_measure(struct channel *channel, struct ikc_measure *measure, u8 *buffer)
{
	struct bench bench = {
		.channel = channel,
		.measure = measure,
		.next = { .buffer = buffer, .capacity = IKC_MESSAGE_MAX },
	};
	struct lending *lending = channel->link->lending;
	int err;

	if (!bench_is_possible(&bench))
		return -EINVAL;
	bench.payload = kzalloc(IKC_MESSAGE_MAX, GFP_KERNEL);
	if (!bench.payload)
		return -ENOMEM;
	bench.first = lending_take(lending, sizeof(u64));
	err = bench.first;
	if (err >= 0) {
		bench.own = (u64 *)(lending->bytes + (size_t)bench.first * IKC_PAGE_SIZE);
		err = bench_ask_and_run(&bench);
		lending_give(lending, bench.first, sizeof(u64));
	}
	kfree(bench.payload);
	return err;
}
