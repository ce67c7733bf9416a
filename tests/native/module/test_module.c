/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of Linux: what programs are promised (ikc_uapi.h), between two or three kernels. */
#include <linux/ktime.h>

#include "check.h"
#include "ikc_stream.h"
#include "program.h"

#define PORT 300
#define OTHER_PORT 301
#define LONG_MS 20000

/* ---- streams: each message numbered and checked ---- */

struct stream_way {
	struct file *from, *to;
	u32 partition; /* of `to`; messages alone */
	u16 port;
	u32 seed, count;
	bool channel;
};

static void send_stream(void *argument)
{
	struct stream_way *way = argument;
	u8 payload[IKC_MESSAGE_MAX];

	for (u32 n = 0; n < way->count; n++) {
		u32 length = ikc_stream_make(way->seed, n, payload);

		if (way->channel)
			CHECK_EQ(program_write(way->from, payload, length), length);
		else
			CHECK_EQ(program_send(way->from, way->partition, way->port, payload, length), 0);
	}
}

static void receive_stream(void *argument)
{
	struct stream_way *way = argument;
	struct ikc_stream stream;
	u8 payload[IKC_MESSAGE_MAX];
	u32 partition;
	int length;

	ikc_stream_begin(&stream, way->seed, way->count);
	do {
		length = way->channel ? program_read(way->to, payload, sizeof(payload))
				      : program_receive(way->to, payload, sizeof(payload), &partition);
		CHECK(length >= 0);
	} while (!ikc_stream_take(&stream, payload, (u32)length));
	CHECK_EQ(stream.fault, IKC_STREAM_FINE);
}

static void stream_all(struct stream_way *ways, u32 count)
{
	struct task_struct senders[8], receivers[8];

	CHECK(count <= 8);
	for (u32 i = 0; i < count; i++) {
		task_start(&receivers[i], receive_stream, &ways[i]);
		task_start(&senders[i], send_stream, &ways[i]);
	}
	for (u32 i = 0; i < count; i++) {
		task_join(&senders[i], "the sender of a stream");
		task_join(&receivers[i], "the receiver of a stream");
	}
}

/* ---- messages ---- */

static void test_messages_arrive_in_order_among_three(void)
{
	struct stream_way ways[6];

	machine_start(3);
	for (u32 i = 0; i < 6; i++) {
		u32 from = i / 2, to = (from + 1 + i % 2) % 3;

		ways[i] = (struct stream_way){
			.from = program_bound_at(from, (u16)(400 + i), 0),
			.to = program_bound_at(to, (u16)(PORT + i), 0),
			.partition = to,
			.port = (u16)(PORT + i),
			.seed = 7 + i,
			.count = soaking() ? 100000 : 1000,
		};
	}
	stream_all(ways, 6);
	for (u32 i = 0; i < 6; i++) {
		program_close(ways[i].from);
		program_close(ways[i].to);
	}
	machine_stop();
}

static void test_refusal_is_told_once(void)
{
	struct file *file;
	u32 partition;
	u8 byte = 1;

	machine_start(2);
	file = program_at(0, 0);
	CHECK_EQ(program_connect(file, 1, PORT), 0);
	CHECK_EQ(program_send(file, 1, PORT, &byte, 1), 0);
	CHECK_EQ(program_receive(file, &byte, 1, &partition), -ECONNREFUSED);
	file->f_flags |= O_NONBLOCK;
	CHECK_EQ(program_receive(file, &byte, 1, &partition), -EAGAIN);
	program_close(file);
	machine_stop();
}

/* Messages until there is no room; each is as large as can be, and says its number. */
static u32 fill(struct file *file, u32 partition, u16 port)
{
	u32 payload[IKC_MESSAGE_MAX / sizeof(u32)] = { 0 };
	int err;

	while (!(err = program_send(file, partition, port, payload, sizeof(payload))))
		payload[0]++;
	CHECK_EQ(err, -EAGAIN);
	return payload[0];
}

static void test_program_that_does_not_read_holds_up_its_sender_alone(void)
{
	struct file *sender, *lazy, *other;
	u32 payload[IKC_MESSAGE_MAX / sizeof(u32)];
	u32 partition, sent = 0;

	machine_start(3);
	lazy = program_bound_at(0, PORT, 0);
	sender = program_at(1, O_NONBLOCK);
	other = program_at(2, 0);
	while (sent < ENDPOINT_QUEUE_MAX / sizeof(payload))
		sent = fill(sender, 0, PORT) + sent;
	CHECK(!(program_poll(sender) & EPOLLERR));
	CHECK_EQ(program_ping(sender, 0, LONG_MS), 0);
	CHECK_EQ(program_send(other, 0, PORT, payload, 0), 0);
	for (u32 taken = 0; taken < sent;) {
		int length = program_receive(lazy, payload, sizeof(payload), &partition);

		CHECK(length == (partition == 1 ? (int)sizeof(payload) : 0));
		taken += partition == 1;
	}
	program_close(sender);
	program_close(lazy);
	program_close(other);
	machine_stop();
}

/* Two kernels, a program with a port in each; `from` has sent the other one a message. */
static void start_pair(struct file *ends[2], u32 from)
{
	u32 partition;
	u8 byte = 1;

	machine_start(2);
	for (u32 i = 0; i < 2; i++)
		ends[i] = program_bound_at(i, PORT, 0);
	CHECK_EQ(program_send(ends[from], !from, PORT, &byte, 1), 0);
	CHECK_EQ(program_receive(ends[!from], &byte, 1, &partition), 1);
}

static void stop_pair(struct file *ends[2])
{
	program_close(ends[0]);
	program_close(ends[1]);
	machine_stop();
}

static void test_reset_is_told_once_at_both_ends(void)
{
	struct file *ends[2];
	u32 partition;
	u8 byte = 1;

	start_pair(ends, 0);
	end_reset_link(&machine.ends[0], 1);
	for (u32 i = 0; i < 2; i++) {
		CHECK_EQ(program_receive(ends[i], &byte, 1, &partition), -ENETRESET);
		CHECK_EQ(partition, 1 - i);
		CHECK(!(program_poll(ends[i]) & (EPOLLIN | EPOLLERR)));
	}
	machine_await_links();
	CHECK_EQ(program_send(ends[1], 0, PORT, &byte, 1), 0);
	CHECK_EQ(program_receive(ends[0], &byte, 1, &partition), 1);
	stop_pair(ends);
}

static bool await_held(const struct link *link)
{
	u64 deadline = ktime_get_ns() + 10ull * NSEC_PER_SEC;

	while (!READ_ONCE(link->held) && ktime_get_ns() < deadline)
		sched_yield();
	return READ_ONCE(link->held);
}

static void test_message_of_a_new_life_waits_until_the_reset_is_told(void)
{
	struct file *ends[2];
	u32 partition;
	u8 byte = 2;

	start_pair(ends, 1);
	end_reset_link(&machine.ends[0], 1);
	CHECK_EQ(program_receive(ends[1], &byte, 1, &partition), -ENETRESET);
	machine_await_links();
	CHECK_EQ(program_send(ends[1], 0, PORT, &byte, 1), 0);
	CHECK(await_held(end_link(&machine.ends[0], 1)));
	CHECK_EQ(program_receive(ends[0], &byte, 1, &partition), -ENETRESET);
	CHECK_EQ(program_receive(ends[0], &byte, 1, &partition), 1);
	CHECK_EQ(byte, 2);
	stop_pair(ends);
}

static void close_after_a_while(void *file)
{
	u8 byte;
	u32 partition;

	CHECK_EQ(program_receive(file, &byte, 1, &partition), -ERESTARTSYS);
	program_close(file);
}

static void test_signal_ends_a_wait(void)
{
	struct task_struct task;

	machine_start(2);
	task_start(&task, close_after_a_while, program_bound_at(0, PORT, 0));
	task_signal(&task);
	task_join(&task, "a program that got a signal");
	machine_stop();
}

/* ---- channels ---- */

/* A channel from end 0 to end 1: [0] the opener's, [1] the other's. */
static void make_channel(struct file *opener, struct file *listener, u16 port, u32 packet_size,
			 struct file *channel[2])
{
	channel[0] = program_open_channel(opener, 1, port, packet_size, LONG_MS);
	CHECK(!IS_ERR(channel[0]));
	channel[1] = program_accept(listener);
	CHECK(!IS_ERR(channel[1]));
}

static void test_channels_carry_streams_both_ways_copied_and_lent(void)
{
	struct file *opener, *listener, *channel[2], *lender[2];
	struct stream_way ways[4];

	machine_start(2);
	opener = program_at(0, 0);
	listener = program_listening_at(1, PORT, IKC_MESSAGE_MAX);
	make_channel(opener, listener, PORT, IKC_MESSAGE_MAX, channel);
	program_close(listener);
	listener = program_listening_at(1, PORT, 64);
	make_channel(opener, listener, PORT, 64, lender);
	for (u32 i = 0; i < 4; i++) {
		struct file **ends = i < 2 ? channel : lender;

		ways[i] = (struct stream_way){
			.from = ends[i % 2],
			.to = ends[1 - i % 2],
			.seed = 90 + i,
			.count = soaking() ? 100000 : 1000,
			.channel = true,
		};
	}
	stream_all(ways, 4);
	for (u32 i = 0; i < 2; i++) {
		program_close(channel[i]);
		program_close(lender[i]);
	}
	program_close(opener);
	program_close(listener);
	machine_stop();
}

static void test_all_channels_of_a_link_can_be_in_use(void)
{
	struct file *openers[2], *listeners[2], *channels[IKC_CHANNELS][2];
	u32 most = IKC_CHANNELS / 2;

	machine_start(2);
	for (u32 i = 0; i < 2; i++) {
		openers[i] = program_at(i, 0);
		listeners[i] = program_listening_at(i, PORT, 64);
	}
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < IKC_CHANNELS; i++) {
			u32 from = i / most;

			channels[i][0] = program_open_channel(openers[from], 1 - from, PORT, 64, LONG_MS);
			CHECK(!IS_ERR(channels[i][0]));
			channels[i][1] = program_accept(listeners[1 - from]);
			CHECK(!IS_ERR(channels[i][1]));
		}
		CHECK_EQ(PTR_ERR(program_open_channel(openers[0], 1, PORT, 64, LONG_MS)), -EBUSY);
		for (u32 i = 0; i < IKC_CHANNELS; i++) {
			u8 byte = (u8)i;

			CHECK_EQ(program_write(channels[i][0], &byte, 1), 1);
			CHECK_EQ(program_read(channels[i][1], &byte, 1), 1);
			CHECK_EQ(byte, i);
		}
		for (u32 i = 0; i < IKC_CHANNELS; i++) {
			u8 byte;

			program_close(channels[i][i % 2]);
			CHECK_EQ(program_read(channels[i][1 - i % 2], &byte, 1), -EPIPE);
			program_close(channels[i][1 - i % 2]);
		}
	}
	for (u32 i = 0; i < 2; i++) {
		program_close(openers[i]);
		program_close(listeners[i]);
	}
	machine_stop();
}

static void test_channel_is_refused_with_a_reason(void)
{
	struct file *opener, *listener;

	machine_start(2);
	opener = program_at(0, 0);
	listener = program_listening_at(1, PORT, 64);
	CHECK_EQ(PTR_ERR(program_open_channel(opener, 1, OTHER_PORT, 64, LONG_MS)), -ECONNREFUSED);
	CHECK_EQ(PTR_ERR(program_open_channel(opener, 1, PORT, 65, LONG_MS)), -ECONNREFUSED);
	program_close(opener);
	program_close(listener);
	machine_stop();
}

static void test_listener_that_closes_closes_what_waits_there(void)
{
	struct file *opener, *listener, *channels[3];
	u8 byte = 1;

	machine_start(2);
	opener = program_at(0, 0);
	listener = program_listening_at(1, PORT, 64);
	for (u32 i = 0; i < 3; i++) {
		channels[i] = program_open_channel(opener, 1, PORT, 64, LONG_MS);
		CHECK(!IS_ERR(channels[i]));
	}
	program_close(listener);
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(program_read(channels[i], &byte, 1), -EPIPE);
		CHECK_EQ(program_write(channels[i], &byte, 1), -EPIPE);
		program_close(channels[i]);
	}
	program_close(opener);
	machine_stop();
}

static void test_what_was_sent_before_closing_arrives(void)
{
	struct file *opener, *listener, *channel[2];
	u8 large[3 * IKC_PAGE_SIZE] = { 3 }, byte = 0;

	machine_start(2);
	opener = program_at(0, 0);
	listener = program_listening_at(1, PORT, 64);
	make_channel(opener, listener, PORT, 64, channel);
	for (byte = 0; byte < 32; byte++)
		CHECK_EQ(program_write(channel[0], &byte, 1), 1);
	CHECK_EQ(program_write(channel[0], large, sizeof(large)), sizeof(large));
	program_close(channel[0]);
	for (u32 i = 0; i < 32; i++) {
		CHECK_EQ(program_read(channel[1], &byte, 1), 1);
		CHECK_EQ(byte, i);
	}
	CHECK_EQ(program_read(channel[1], &byte, 1), -EMSGSIZE);
	CHECK_EQ(program_read(channel[1], large, sizeof(large)), sizeof(large));
	CHECK_EQ(program_read(channel[1], large, sizeof(large)), -EPIPE);
	program_close(channel[1]);
	program_close(opener);
	program_close(listener);
	machine_stop();
}

#define SEVERAL 40

static u64 doorbells_of_channels(u32 end)
{
	struct ikc_channel *channels = end_link(&machine.ends[end], !end)->ikc.own->channels;
	u64 count = 0;

	for (u32 i = 0; i < IKC_CHANNELS; i++)
		count += ikc_load(&channels[i].doorbells);
	return count;
}

/* The receiver sleeps from the first one on; what finds no room is not sent, and says so. */
static void test_several_messages_go_in_order_with_one_doorbell(void)
{
	u8 messages[SEVERAL * 64] = { 0 }, got[64];
	struct file *opener, *listener, *channel[2];
	u64 rung;

	machine_start(2);
	opener = program_at(0, 0);
	listener = program_listening_at(1, PORT, 64);
	make_channel(opener, listener, PORT, 64, channel);
	for (u32 i = 0; i < SEVERAL; i++)
		messages[i * 64] = i;
	CHECK_EQ(program_poll(channel[1]) & EPOLLIN, 0);
	rung = doorbells_of_channels(0);
	CHECK_EQ(program_write_several(channel[0], messages, 64, SEVERAL), SEVERAL);
	CHECK_EQ(doorbells_of_channels(0), rung + 1);
	CHECK_EQ(program_write_several(channel[0], messages, 64, SEVERAL), IKC_CHANNEL_SLOTS - SEVERAL);
	for (u32 i = 0; i < IKC_CHANNEL_SLOTS; i++) {
		CHECK_EQ(program_read(channel[1], got, sizeof(got)), 64);
		CHECK_EQ(got[0], i % SEVERAL);
	}
	CHECK_EQ(program_write_several(channel[0], messages, 65, 1), -EMSGSIZE);
	CHECK_EQ(program_write_several(channel[0], messages, 64, IKC_MESSAGE_MAX / 64 + 1), -EMSGSIZE);
	CHECK_EQ(program_write_several(channel[0], messages, 0, 1), -EMSGSIZE);
	CHECK_EQ(program_write_several(channel[0], messages, 64, 0), -EINVAL);
	program_close(channel[1]);
	CHECK_EQ(program_read(channel[0], got, sizeof(got)), -EPIPE);
	CHECK_EQ(program_write_several(channel[0], messages, 64, 1), -EPIPE);
	program_close(channel[0]);
	program_close(opener);
	program_close(listener);
	machine_stop();
}

/* ---- many threads on everything at once ---- */

struct storm {
	struct task_struct task;
	u32 from;
	u16 port;
	u32 rounds, seed;
};

static void echo_channels(void *argument)
{
	struct file *listener = argument, *channel;
	u8 payload[IKC_MESSAGE_MAX];

	while (!IS_ERR(channel = program_accept(listener))) {
		int length;

		while ((length = program_read(channel, payload, sizeof(payload))) >= 0)
			if (program_write(channel, payload, (size_t)length) < 0)
				break;
		program_close(channel);
	}
	program_close(listener);
}

static void echo_once(struct file *channel, u32 seed, u32 n)
{
	u8 payload[IKC_MESSAGE_MAX], answer[IKC_MESSAGE_MAX];
	u32 length = ikc_stream_make(seed, n, payload);

	CHECK_EQ(program_write(channel, payload, length), length);
	CHECK_EQ(program_read(channel, answer, sizeof(answer)), length);
	CHECK(!memcmp(payload, answer, length));
}

/* Opens, asks a few times, moves to another CPU, and leaves, sometimes with an answer on its way. */
static void open_and_close(void *argument)
{
	struct storm *storm = argument;
	u64 random = storm->seed;

	for (u32 round = 0; round < storm->rounds; round++) {
		struct file *opener = program_at(storm->from, 0);
		struct file *channel = program_open_channel(opener, 1 - storm->from, storm->port, 256, LONG_MS);
		u32 count = random_next(&random) % 8;
		int err;

		CHECK(!IS_ERR(channel));
		for (u32 n = 0; n < count; n++)
			echo_once(channel, storm->seed, n);
		err = program_serve(channel, random_next(&random) % 3);
		CHECK(err == 0 || err == -EBUSY);
		if (round % 2)
			CHECK_EQ(program_write(channel, &round, sizeof(round)), sizeof(round));
		program_close(channel);
		program_close(opener);
	}
}

/* More channels than vectors, so that one of two on a vector moves to another, where others are. */
static void test_channel_is_rung_on_the_cpu_that_it_moved_to(void)
{
	struct file *opener, *listeners[2], *channels[IKC_CHANNEL_VECTORS + 1];
	struct task_struct echo;
	u32 count = IKC_CHANNEL_VECTORS + 1, n = 0;

	machine_start(2);
	opener = program_at(0, 0);
	listeners[0] = program_listening_at(1, PORT, 256);
	listeners[1] = program_listening_at(1, OTHER_PORT, 256);
	task_start(&echo, echo_channels, listeners[0]);
	for (u32 i = 0; i < count; i++) {
		channels[i] = program_open_channel(opener, 1, i ? OTHER_PORT : PORT, 256, LONG_MS);
		CHECK(!IS_ERR(channels[i]));
	}
	for (u32 turn = 0; turn < 30; turn++) {
		CHECK_EQ(program_serve(channels[0], turn % 3), 0);
		for (u32 i = 0; i < 10; i++)
			echo_once(channels[0], 5, n++);
	}
	CHECK_EQ(program_serve(channels[0], 3), -EINVAL);
	for (u32 i = 0; i < count; i++)
		program_close(channels[i]);
	task_signal(&echo);
	task_join(&echo, "a program that echoes");
	program_close(listeners[1]);
	program_close(opener);
	machine_stop();
}

static void test_channels_come_and_go_from_many_threads(void)
{
	struct task_struct echoes[4];
	struct storm storms[4];

	machine_start(2);
	for (u32 i = 0; i < 4; i++) {
		storms[i] = (struct storm){
			.from = i % 2,
			.port = (u16)(PORT + i),
			.rounds = soaking() ? 20000 : 200,
			.seed = 40 + i,
		};
		task_start(&echoes[i], echo_channels, program_listening_at(1 - i % 2, (u16)(PORT + i), 256));
		task_start(&storms[i].task, open_and_close, &storms[i]);
	}
	for (u32 i = 0; i < 4; i++)
		task_join(&storms[i].task, "a program that opens and closes");
	for (u32 i = 0; i < 4; i++) {
		task_signal(&echoes[i]);
		task_join(&echoes[i], "a program that echoes");
	}
	machine_stop();
}

/* ---- the device goes away ---- */

static void wait_for_device_to_go(void *file)
{
	u8 byte;
	u32 partition;

	CHECK_EQ(program_receive(file, &byte, 1, &partition), -ENODEV);
	program_close(file);
}

static void wait_for_channel_to_go(void *file)
{
	u8 byte;

	CHECK_EQ(program_read(file, &byte, 1), -ENODEV);
	program_close(file);
}

static void test_unloading_wakes_all_who_wait(void)
{
	struct file *opener, *listener, *channel[2], *other;
	struct task_struct tasks[3];
	u8 byte;
	int err;

	machine_start(2);
	opener = program_bound_at(0, PORT, 0);
	other = program_listening_at(0, OTHER_PORT, 64);
	listener = program_listening_at(1, PORT, 64);
	make_channel(opener, listener, PORT, 64, channel);
	task_start(&tasks[0], wait_for_device_to_go, opener);
	task_start(&tasks[1], wait_for_channel_to_go, channel[0]);
	task_start(&tasks[2], echo_channels, other);
	end_stop(&machine.ends[0]);
	for (u32 i = 0; i < 3; i++)
		task_join(&tasks[i], "a program whose device is gone");
	err = program_read(channel[1], &byte, 1);
	CHECK(err == -EPIPE || err == -ENETRESET); /* the channel was closed, and then the link was reset */
	program_close(channel[1]);
	program_close(listener);
	machine_stop();
}

int main(void)
{
	RUN(test_messages_arrive_in_order_among_three);
	RUN(test_refusal_is_told_once);
	RUN(test_program_that_does_not_read_holds_up_its_sender_alone);
	RUN(test_reset_is_told_once_at_both_ends);
	RUN(test_message_of_a_new_life_waits_until_the_reset_is_told);
	RUN(test_signal_ends_a_wait);
	RUN(test_channels_carry_streams_both_ways_copied_and_lent);
	RUN(test_all_channels_of_a_link_can_be_in_use);
	RUN(test_channel_is_refused_with_a_reason);
	RUN(test_listener_that_closes_closes_what_waits_there);
	RUN(test_what_was_sent_before_closing_arrives);
	RUN(test_several_messages_go_in_order_with_one_doorbell);
	RUN(test_channel_is_rung_on_the_cpu_that_it_moved_to);
	RUN(test_channels_come_and_go_from_many_threads);
	RUN(test_unloading_wakes_all_who_wait);
	return 0;
}
