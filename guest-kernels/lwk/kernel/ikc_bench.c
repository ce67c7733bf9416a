/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may measure: one at a time, on request over a channel or by order on the data ring. The part
 * itself is played in the work of one CPU, which does nothing else until it is over.
 */
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_bench.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/timer.h>
#include <lwk/work.h>

#define COUNT_MAX 10000000
#define BULK_MAX (IKC_POOL_SIZE / 2)

static bool running;
static struct bench bench; /* of who set `running` */

static bool claim(void)
{
	return !__atomic_exchange_n(&running, true, __ATOMIC_ACQUIRE);
}

static void release(void)
{
	__atomic_store_n(&running, false, __ATOMIC_RELEASE);
}

static bool is_online(uint32_t cpu_id)
{
	return cpu_id < cpu_count && cpus[cpu_id]->online;
}

static bool makes_sense(uint32_t kind, uint32_t size, uint32_t count)
{
	uint32_t most = kind == IKC_BENCH_BULK || kind == IKC_BENCH_MEMCPY ? BULK_MAX : IKC_MESSAGE_MAX;

	return kind >= IKC_BENCH_ECHO_POLL && kind <= IKC_BENCH_MEMCPY && size <= most && count &&
	       count <= COUNT_MAX;
}

/* ---- the service ---- */

static struct ikc_bench_request request; /* of who set `running` */

static void play(struct work *work)
{
	(void)work;
	bench_serve(&bench, &request);
	release();
}

static void refuse(struct channel *channel, uint32_t kind, enum ikc_bench_fault fault)
{
	struct ikc_bench_answer answer = { kind, fault, 0 };

	channel_send(channel, &answer, sizeof(answer));
}

/* The request as it was asked for; the CPU that serves the channel if any will do. */
static bool take_request(struct channel *channel, const struct ikc_bench_request *asked)
{
	uint32_t cpu_id = asked->cpu;

	if (cpu_id == IKC_BENCH_ANY_CPU)
		cpu_id = channel_vector_cpu(channel->vector);
	if (!makes_sense(asked->kind, asked->size, asked->count) || asked->kind > IKC_BENCH_BULK ||
	    !is_online(cpu_id))
		return false;
	request = *asked;
	bench = (struct bench){
		.kind = asked->kind,
		.size = MAX(asked->size, (uint32_t)IKC_MESSAGE_MAX),
		.count = asked->count,
		.cpu_id = cpu_id,
		.channel = channel,
	};
	return true;
}

static int serve(struct channel *channel, const struct channel_message *message)
{
	static struct work work = { .run = play };
	struct ikc_bench_request asked = { 0 };

	if (message->length == sizeof(asked))
		memcpy(&asked, message->payload, sizeof(asked));
	if (!claim()) {
		refuse(channel, asked.kind, IKC_BENCH_BUSY);
	} else if (!take_request(channel, &asked)) {
		release();
		refuse(channel, asked.kind, IKC_BENCH_BAD_REQUEST);
	} else {
		work_queue(bench.cpu_id, &work);
	}
	return 0;
}

/* Before its part began: then nobody had taken it over. */
static void ended(struct channel *channel)
{
	if (bench.channel == channel)
		__atomic_store_n(&bench.ended, true, __ATOMIC_RELEASE);
}

/* ---- orders ---- */

enum stage {
	STAGE_NONE,
	STAGE_ASKING, /* for a channel */
	STAGE_MEASURING,
	STAGE_REPORTING, /* has the result to send, in CPU 0's work */
};

static struct {
	enum stage stage;
	uintptr_t number; /* of the order: the owner of its channel */
	uint32_t peer;
	uint16_t port;
	enum ikc_bench_fault fault;
} order; /* of who set `running` */

/* True for one of those who answer this order's question for a channel, or give it up. */
static bool leave_asking(uintptr_t number)
{
	enum stage asking = STAGE_ASKING;

	return number == order.number &&
	       __atomic_compare_exchange_n(&order.stage, &asking, STAGE_MEASURING, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static int send_result(uint32_t peer, uint16_t port, enum ikc_bench_fault fault)
{
	struct ikc_bench_result result = {
		.kind = bench.kind,
		.fault = fault,
		.ns = fault == IKC_BENCH_FINE ? bench.ns : 0,
	};

	return ikc_send_message(peer, IKC_PORT_BENCH, port, &result, sizeof(result));
}

static void report_work(struct work *work)
{
	(void)work;
	if (order.stage != STAGE_REPORTING)
		return;
	if (send_result(order.peer, order.port, order.fault) == -EAGAIN)
		return; /* until there is room */
	order.stage = STAGE_NONE;
	release();
}

static void report(enum ikc_bench_fault fault)
{
	static struct work work = { .run = report_work };

	order.fault = fault;
	__atomic_store_n(&order.stage, STAGE_REPORTING, __ATOMIC_RELEASE);
	work_queue(0, &work);
}

static void measure(struct work *work)
{
	bool alone = bench.kind >= IKC_BENCH_RING;

	(void)work;
	report(alone ? bench_measure_alone(&bench) : bench_measure(&bench));
}

static void measure_soon(void)
{
	static struct work work = { .run = measure };

	work_queue(bench.cpu_id, &work);
}

static void opened(struct channel *channel)
{
	if (leave_asking((uintptr_t)channel->owner))
		measure_soon();
	else
		channel_close(channel); /* too late */
}

static void denied(void *owner, uint32_t refusal)
{
	(void)refusal;
	if (leave_asking((uintptr_t)owner))
		report(IKC_BENCH_NO_CHANNEL);
}

/* CPU 0's timer. The channel is closed when it does come. */
static void give_up(void *arg)
{
	if (leave_asking((uintptr_t)arg))
		report(IKC_BENCH_NO_CHANNEL);
}

/* Nothing comes from the service unasked for while its part is not played. */
static int ignore(struct channel *channel, const struct channel_message *message)
{
	(void)channel;
	(void)message;
	return 0;
}

static void open_channel(uint32_t partition)
{
	static const struct channel_calls calls = {
		.opened = opened,
		.denied = denied,
		.message = ignore,
		.ended = ended,
	};
	static const struct ikc_terms terms = {
		.to_port = IKC_PORT_BENCH,
		.from_port = IKC_PORT_BENCH,
		.magic = IKC_BENCH_MAGIC,
		.packet_size = IKC_MESSAGE_MAX,
	};

	void *number = (void *)++order.number;

	__atomic_store_n(&order.stage, STAGE_ASKING, __ATOMIC_RELEASE);
	timer_arm(IKC_BENCH_PATIENCE_MS * NS_PER_MS, give_up, number);
	if (channel_open(partition, &terms, &calls, number, &bench.channel) && leave_asking(order.number))
		report(IKC_BENCH_NO_CHANNEL);
}

/* One that runs, and is another one than `not_this` if it can be. */
static unsigned int any_cpu(unsigned int not_this)
{
	for (unsigned int i = cpu_count - 1; i > 0; i--)
		if (i != not_this && is_online(i))
			return i;
	return 0;
}

static bool take_order(const struct ikc_bench_order *asked)
{
	bench = (struct bench){
		.kind = asked->kind,
		.size = asked->size,
		.count = asked->count,
		.cpu_id = asked->own_cpu,
		.peer_cpu = asked->peer_cpu,
	};
	if (bench.cpu_id == IKC_BENCH_ANY_CPU)
		bench.cpu_id = channel_vector_cpu(IKC_VECTOR_CHANNEL);
	if (bench.kind == IKC_BENCH_RING && bench.peer_cpu == IKC_BENCH_ANY_CPU)
		bench.peer_cpu = any_cpu(bench.cpu_id);
	if (!makes_sense(bench.kind, bench.size, bench.count) || !is_online(bench.cpu_id))
		return false;
	return bench.kind != IKC_BENCH_RING ||
	       (is_online(bench.peer_cpu) && bench.peer_cpu != bench.cpu_id);
}

static void obey(uint32_t peer, uint16_t port, const struct ikc_bench_order *asked)
{
	order.peer = peer;
	order.port = port;
	if (!take_order(asked)) {
		report(IKC_BENCH_BAD_REQUEST);
	} else if (bench.kind >= IKC_BENCH_RING) {
		order.stage = STAGE_MEASURING;
		measure_soon();
	} else {
		open_channel(asked->partition);
	}
}

static int refuse_order(uint32_t peer, uint16_t port, uint32_t kind)
{
	struct ikc_bench_result result = { .kind = kind, .fault = IKC_BENCH_BUSY };

	return ikc_send_message(peer, IKC_PORT_BENCH, port, &result, sizeof(result));
}

static int receive(uint32_t peer, const struct ikc_message *message, const void *payload)
{
	struct ikc_bench_order asked;

	if (message->length != sizeof(asked))
		return 0;
	memcpy(&asked, payload, sizeof(asked));
	if (!claim())
		return refuse_order(peer, message->from_port, asked.kind);
	obey(peer, message->from_port, &asked);
	return 0;
}

static void room(uint32_t peer)
{
	(void)peer;
	report_work(NULL);
}

void ikc_bench_init(void)
{
	static const struct channel_calls calls = { .message = serve, .ended = ended };
	static struct channel_listener service = {
		.port = IKC_PORT_BENCH,
		.magic = IKC_BENCH_MAGIC,
		.packet_size = IKC_MESSAGE_MAX,
		.calls = &calls,
	};
	static struct ikc_listener orders = {
		.port = IKC_PORT_BENCH,
		.receive = receive,
		.room = room,
	};

	channel_listen(&service);
	ikc_listen(&orders);
}
