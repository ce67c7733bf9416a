/* SPDX-License-Identifier: Apache-2.0 */
/* The driver beside a kernel that writes anything: no call hangs, nothing breaks, and a good peer finds it well. */
#include "check.h"
#include "ikc_bench.h"
#include "program.h"
#include "scribbler.h"

#define PORT 300
#define CHANNEL_PORT 301
#define PACKET_SIZE 256
#define SHORT_MS 20
#define LONG_MS 20000
#define ROUNDS_MAX 3000

static u64 sent, received, opened, accepted, read_, written, lent;

static void count(u64 *counter, int result)
{
	if (result >= 0)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* ---- programs, which go on whatever they are told, until a signal ---- */

static void send_messages(void *file)
{
	u8 payload[IKC_MESSAGE_MAX] = { 1 };

	for (u32 n = 0; !signal_pending(current); n++)
		count(&sent, program_send(file, 1, PORT, payload, n * 97 % sizeof(payload)));
	program_close(file);
}

static void receive_messages(void *file)
{
	u8 payload[IKC_MESSAGE_MAX];
	u32 partition;

	while (!signal_pending(current)) {
		int length = program_receive(file, payload, sizeof(payload), &partition);

		CHECK(length <= (int)sizeof(payload));
		count(&received, length);
	}
	program_close(file);
}

static void ping(void *file)
{
	while (!signal_pending(current))
		program_ping(file, 1, SHORT_MS);
	program_close(file);
}

/* Until the channel is over. */
static void use_channel(struct file *channel)
{
	static _Thread_local u8 payload[2 * IKC_PAGE_SIZE];
	int length, err = 0;

	channel->f_flags |= O_NONBLOCK;
	for (u32 n = 0; (err >= 0 || err == -EAGAIN) && !signal_pending(current); n++) {
		program_poll(channel);
		program_serve(channel, n % 3);
		err = program_write(channel, payload, n % 4 ? n % PACKET_SIZE : sizeof(payload));
		count(n % 4 ? &written : &lent, err);
		length = program_read(channel, payload, sizeof(payload));
		CHECK(length <= (int)sizeof(payload));
		count(&read_, length);
		if (length < 0 && length != -EAGAIN && length != -EMSGSIZE)
			err = length;
	}
	channel->f_flags &= ~(unsigned int)O_NONBLOCK;
	if (err == -EPIPE)
		program_read(channel, payload, sizeof(payload));
}

static void open_channels(void *file)
{
	while (!signal_pending(current)) {
		struct file *channel = program_open_channel(file, 1, CHANNEL_PORT, PACKET_SIZE, SHORT_MS);

		if (IS_ERR(channel))
			continue;
		count(&opened, 0);
		use_channel(channel);
		program_close(channel);
	}
	program_close(file);
}

static void accept_channels(void *file)
{
	while (!signal_pending(current)) {
		struct file *channel = program_accept(file);

		if (IS_ERR(channel))
			continue;
		count(&accepted, 0);
		use_channel(channel);
		program_close(channel);
	}
	program_close(file);
}

#define PROGRAMS 6

static void programs_start(struct task_struct tasks[PROGRAMS])
{
	task_start(&tasks[0], send_messages, program_at(0, 0));
	task_start(&tasks[1], receive_messages, program_bound_at(0, PORT, 0));
	task_start(&tasks[2], ping, program_at(0, 0));
	task_start(&tasks[3], open_channels, program_at(0, 0));
	task_start(&tasks[4], open_channels, program_at(0, 0));
	task_start(&tasks[5], accept_channels, program_listening_at(0, CHANNEL_PORT, PACKET_SIZE));
}

static void programs_end(struct task_struct tasks[PROGRAMS])
{
	static const char *const names[PROGRAMS] = {
		"a program that sends", "a program that receives", "a program that pings",
		"a program that opens", "another that opens", "a program that accepts",
	};

	for (u32 i = 0; i < PROGRAMS; i++)
		task_signal(&tasks[i]);
	for (u32 i = 0; i < PROGRAMS; i++)
		task_join(&tasks[i], names[i]);
}

/* ---- afterwards ---- */

/* A kernel in its senses in the place of the other finds all in order. */
static void a_good_peer_comes(void)
{
	struct file *files[2], *listener, *channel, *other;
	u32 partition;
	u8 byte = 7;

	end_boot(&machine.ends[1]);
	CHECK_EQ(end_start(&machine.ends[1]), 0);
	machine_await_links(); /* one may still run with the life that is over, of which its end has not heard */
	machine_await_links();
	for (u32 i = 0; i < 2; i++)
		files[i] = program_bound_at(i, PORT, 0);
	listener = program_listening_at(1, CHANNEL_PORT, PACKET_SIZE);
	CHECK_EQ(program_ping(files[0], 1, LONG_MS), 0);
	CHECK_EQ(program_send(files[0], 1, PORT, &byte, 1), 0);
	CHECK_EQ(program_receive(files[1], &byte, 1, &partition), 1);
	channel = program_open_channel(files[0], 1, CHANNEL_PORT, PACKET_SIZE, LONG_MS);
	CHECK(!IS_ERR(channel));
	other = program_accept(listener);
	CHECK_EQ(program_write(channel, &byte, 1), 1);
	CHECK_EQ(program_read(other, &byte, 1), 1);
	CHECK_EQ(byte, 7);
	program_close(channel);
	program_close(other);
	program_close(listener);
	program_close(files[0]);
	program_close(files[1]);
	end_stop(&machine.ends[1]);
}

/* ---- one thing that cannot be, on purpose ---- */

/* The end of the only channel that is open on a link. */
static struct channel *only_channel(struct link *link)
{
	for (u32 index = 0; index < IKC_CHANNELS; index++)
		if (link->opened[index])
			return link->opened[index];
	return NULL;
}

static void test_message_longer_than_the_packets_of_its_channel_resets_the_link(void)
{
	struct ikc_message message = { .length = PACKET_SIZE + 1, .to_port = IKC_PACKET_COPIED };
	struct file *file, *listener, *channel, *other;
	u8 payload[IKC_MESSAGE_MAX] = { 0 };
	struct link *link, *theirs;

	machine_start(2);
	link = end_link(&machine.ends[0], 1);
	theirs = end_link(&machine.ends[1], 0);
	machine_await_links();
	file = program_at(0, 0);
	listener = program_listening_at(1, CHANNEL_PORT, PACKET_SIZE);
	channel = program_open_channel(file, 1, CHANNEL_PORT, PACKET_SIZE, LONG_MS);
	other = program_accept(listener);
	CHECK_EQ(program_write(other, payload, 1), 1); /* it may send */
	CHECK_EQ(program_read(channel, payload, sizeof(payload)), 1);
	CHECK_EQ(ikc_send(&only_channel(theirs)->sender, &message, payload), IKC_OK);
	CHECK_EQ(program_read(channel, payload, sizeof(payload)), -ENETRESET);
	CHECK_EQ(ikc_load(&link->ikc.own->reset_reason), IKC_RESET_BAD_LENGTH);
	program_close(channel);
	program_close(other);
	program_close(listener);
	program_close(file);
	machine_stop();
}

/* Everything went well at times, and the link was reset for each of the reasons that a broken peer gives. */
static bool has_seen_all(const struct scribbler *scribbler)
{
	u64 reasons = BIT_ULL(IKC_RESET_BAD_TAIL) | BIT_ULL(IKC_RESET_BAD_LENGTH) | BIT_ULL(IKC_RESET_BAD_CHANNEL);

	return sent && received && opened && accepted && read_ && written && lent &&
	       (scribbler->reasons & reasons) == reasons;
}

static void suffer(bool everywhere)
{
	struct scribbler scribbler = {
		.everywhere = everywhere,
		.port = PORT,
		.channel_port = CHANNEL_PORT,
		.magic = PROGRAM_MAGIC,
		.packet_size = PACKET_SIZE,
		.steps = 15000,
		.random = 17 + everywhere,
	};
	struct task_struct tasks[PROGRAMS];
	u32 round, least = soaking() ? 2000 : 4;

	sent = received = opened = accepted = read_ = written = lent = 0;
	machine_start(2);
	end_stop(&machine.ends[1]);
	for (round = 0; round < ROUNDS_MAX && (round < least || !has_seen_all(&scribbler)); round++) {
		programs_start(tasks);
		scribbler_start(&scribbler);
		scribbler_join(&scribbler);
		programs_end(tasks);
		a_good_peer_comes();
	}
	machine_stop();
	printf("   %u rounds: sent %lu, received %lu; channels opened %lu, accepted %lu; read %lu, written %lu, lent %lu\n",
	       round, sent, received, opened, accepted, read_, written, lent);
	CHECK(has_seen_all(&scribbler));
}

static void test_peer_that_writes_anything_into_its_own_harms_nobody(void)
{
	suffer(false);
}

static void test_peer_that_writes_anything_anywhere_harms_nobody(void)
{
	suffer(true);
}

int main(void)
{
	RUN(test_message_longer_than_the_packets_of_its_channel_resets_the_link);
	RUN(test_peer_that_writes_anything_into_its_own_harms_nobody);
	RUN(test_peer_that_writes_anything_anywhere_harms_nobody);
	return 0;
}
