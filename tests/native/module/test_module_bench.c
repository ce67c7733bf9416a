/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements of the driver, with a program in the place of the service that it measures against. */
#include <sched.h>

#include "check.h"
#include "ikc_bench.h"
#include "program.h"

#define OPEN_MS 20000

static u32 played; /* messages that the service has taken */

static struct ikc_bench_request take_request(struct file *channel)
{
	struct ikc_bench_request request;

	CHECK_EQ(program_read(channel, &request, sizeof(request)), sizeof(request));
	return request;
}

static void give_answer(struct file *channel, u32 kind, u32 fault, u64 offset)
{
	struct ikc_bench_answer answer = { .kind = kind, .fault = fault, .offset = offset };

	CHECK_EQ(program_write(channel, &answer, sizeof(answer)), sizeof(answer));
}

/* Until count messages are there, or the opener has gone. */
static void play_messages(struct file *channel, const struct ikc_bench_request *request)
{
	static u8 payload[IKC_POOL_SIZE];
	bool echoes = request->kind == IKC_BENCH_ECHO_POLL || request->kind == IKC_BENCH_ECHO_BELL;
	int length;

	for (u32 i = 0; i < request->count; i++) {
		length = program_read(channel, payload, sizeof(payload));
		if (length < 0)
			return;
		CHECK_EQ(length, request->size);
		__atomic_store_n(&played, i + 1, __ATOMIC_RELAXED);
		if (echoes && program_write(channel, payload, (size_t)length) < 0)
			return;
	}
	if (!echoes)
		program_write(channel, payload, 1);
}

static void play_words(struct file *channel, const struct ikc_bench_request *request)
{
	struct fabric *fabric = end_fabric(&machine.ends[1]);
	int page = lending_take(&fabric->shared.lending, IKC_PAGE_SIZE);
	u64 *own = (u64 *)(fabric->shared.lending.bytes + page * IKC_PAGE_SIZE);
	u64 *opener = (u64 *)(region_partition(&fabric->region, 0)->pool + request->offset);

	ikc_store_ordered(own, 0);
	give_answer(channel, request->kind, IKC_BENCH_FINE, (u64)page * IKC_PAGE_SIZE);
	for (u64 i = 1; i <= request->count; i++) {
		while (ikc_load_acquire(opener) != i)
			sched_yield();
		ikc_store_ordered(own, i);
	}
	lending_give(&fabric->shared.lending, (u32)page, IKC_PAGE_SIZE);
}

/* Serves one measurement. */
static void serve(void *listener)
{
	struct file *channel = program_accept(listener);
	struct ikc_bench_request request;

	CHECK(!IS_ERR(channel));
	request = take_request(channel);
	if (request.kind == IKC_BENCH_BARE_POLL) {
		play_words(channel, &request);
	} else {
		give_answer(channel, request.kind, request.cpu == 1 ? IKC_BENCH_BUSY : IKC_BENCH_FINE, 0);
		if (request.cpu != 1)
			play_messages(channel, &request);
	}
	program_close(channel);
}

static struct file *listen_for_measurements(void)
{
	struct ikc_listen listen = { .port = IKC_PORT_BENCH, .magic = IKC_BENCH_MAGIC, .packet_size = IKC_MESSAGE_MAX };
	struct file *file = program_at(1, 0);

	CHECK_EQ(program_ioctl(file, IKC_IOCTL_LISTEN, &listen), 0);
	return file;
}

static struct file *open_for_measurement(struct file *opener)
{
	struct ikc_open open = {
		.address = { .partition = 1, .port = IKC_PORT_BENCH },
		.magic = IKC_BENCH_MAGIC,
		.packet_size = IKC_MESSAGE_MAX,
		.timeout_ms = OPEN_MS,
	};

	CHECK_EQ(program_ioctl(opener, IKC_IOCTL_OPEN, &open), 0);
	return file_of_fd(open.fd);
}

/* The parties to one measurement. */
struct bout {
	struct task_struct service;
	struct file *opener, *listener, *channel;
	struct ikc_measure measure;
	int err;
};

static void bout_begin(struct bout *bout, struct ikc_measure measure)
{
	machine_start(2);
	bout->measure = measure;
	bout->opener = program_at(0, 0);
	bout->listener = listen_for_measurements();
	task_start(&bout->service, serve, bout->listener);
	bout->channel = open_for_measurement(bout->opener);
}

static void bout_measure(void *argument)
{
	struct bout *bout = argument;

	bout->err = program_ioctl(bout->channel, IKC_IOCTL_MEASURE, &bout->measure);
}

static void bout_end(struct bout *bout)
{
	program_close(bout->channel);
	task_join(&bout->service, "the service of measurements");
	program_close(bout->listener);
	program_close(bout->opener);
	machine_stop();
}

static void test_each_kind_is_measured(void)
{
	static const struct ikc_measure measures[] = {
		{ .kind = IKC_BENCH_ECHO_POLL, .size = 64, .count = 200 },
		{ .kind = IKC_BENCH_ECHO_BELL, .size = 4096, .count = 200 },
		{ .kind = IKC_BENCH_BARE_POLL, .size = 8, .count = 200 },
		{ .kind = IKC_BENCH_SINK, .size = 64, .count = 500 },
		{ .kind = IKC_BENCH_BULK, .size = 100000, .count = 20 },
	};

	for (u32 i = 0; i < sizeof(measures) / sizeof(measures[0]); i++) {
		struct bout bout;

		bout_begin(&bout, measures[i]);
		bout_measure(&bout);
		CHECK_EQ(bout.err, 0);
		CHECK_EQ(bout.measure.fault, IKC_BENCH_FINE);
		CHECK(bout.measure.ns > 0);
		bout_end(&bout);
	}
}

static void test_fault_of_the_service_is_passed_on(void)
{
	struct bout bout;

	bout_begin(&bout, (struct ikc_measure){ .kind = IKC_BENCH_SINK, .size = 1, .count = 1, .peer_cpu = 1 });
	bout_measure(&bout);
	CHECK_EQ(bout.err, 0);
	CHECK_EQ(bout.measure.fault, IKC_BENCH_BUSY);
	bout_end(&bout);
}

static void test_measurement_ends_at_a_signal(void)
{
	static const u32 kinds[] = { IKC_BENCH_ECHO_POLL, IKC_BENCH_ECHO_BELL, IKC_BENCH_SINK };

	for (u32 i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct task_struct task;
		struct bout bout;

		__atomic_store_n(&played, 0, __ATOMIC_RELAXED);
		bout_begin(&bout, (struct ikc_measure){ .kind = kinds[i], .size = 8, .count = 10000000 });
		task_start(&task, bout_measure, &bout);
		while (__atomic_load_n(&played, __ATOMIC_RELAXED) < 100)
			sched_yield();
		task_signal(&task);
		task_join(&task, "a measurement after a signal");
		CHECK_EQ(bout.err, -ERESTARTSYS);
		CHECK(__atomic_load_n(&played, __ATOMIC_RELAXED) < 10000000);
		bout_end(&bout);
	}
}

int main(void)
{
	RUN(test_each_kind_is_measured);
	RUN(test_fault_of_the_service_is_passed_on);
	RUN(test_measurement_ends_at_a_signal);
	return 0;
}
