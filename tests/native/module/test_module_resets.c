/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links that are reset, drivers that are loaded anew and kernels that are killed, in the middle of the traffic of
 * several programs in each of three kernels.
 */
#include "check.h"
#include "program.h"
#include "waiting.h"

#define COUNT 3
#define PORT 300
#define CHANNEL_PORT 301
#define PACKET_SIZE 256
#define OPEN_MS 200
#define PROGRAMS 5

/* What is sent: who, in which life of its kernel, to whom, and which. Its length is `length`. */
struct note {
	u32 from, life, sequence, length;
	u8 rest[1000];
};

#define NOTE_MIN offsetof(struct note, rest)

/* The programs of one kernel. */
struct programs {
	struct end *end;
	u32 life;
	struct file *sender, *receiver, *opener, *listener;
	struct task_struct tasks[PROGRAMS];
};

static struct programs all[COUNT];
static u64 notes_taken, echoes_taken, resets_told;

static void count(u64 *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

static void fill_note(struct note *note, const struct programs *programs, u32 sequence)
{
	u64 random = (u64)sequence << 8 | (programs->end->index + 1);

	note->from = programs->end->index;
	note->life = programs->life;
	note->sequence = sequence;
	note->length = NOTE_MIN + (u32)random_next(&random) % sizeof(note->rest);
	memset(note->rest, (u8)sequence, sizeof(note->rest));
}

static void check_note(const struct note *note, int length)
{
	CHECK_EQ(length, note->length);
	for (u32 i = 0; i < note->length - NOTE_MIN; i++)
		CHECK_EQ(note->rest[i], (u8)note->sequence);
}

/* ---- messages ---- */

static int look_at_link(void *link)
{
	return link_has_room(link) ? 0 : -EAGAIN;
}

/* Until there is room, or for a moment: the link may be down for long. */
static void await_room(struct programs *programs, u32 peer)
{
	struct link *link = end_link(programs->end, peer);
	long left = 5;

	waiting_for(&link->writable, look_at_link, link, &left);
}

static void send_notes(void *argument)
{
	struct programs *programs = argument;
	u32 sequences[COUNT] = { 0 };
	struct note note;

	for (u32 turn = 0; !signal_pending(current); turn++) {
		u32 peer = (programs->end->index + 1 + turn % (COUNT - 1)) % COUNT;
		int err;

		fill_note(&note, programs, sequences[peer]);
		err = program_send(programs->sender, peer, PORT, &note, note.length);
		if (err == -ENODEV)
			break;
		if (err == -ENOTCONN)
			await_room(programs, peer);
		CHECK(err == 0 || err == -ENOTCONN || err == -ENETRESET || err == -ERESTARTSYS);
		sequences[peer] += err == 0;
	}
	program_close(programs->sender);
}

/* What a receiver knows of one sender. */
struct correspondent {
	u32 life, next;
	bool told; /* of a reset since its last message: some may be missing */
};

/* None of an old life, none twice, none out of order; none missing unless that was told. */
static void take_note(struct correspondent *sender, const struct note *note)
{
	CHECK(note->life >= sender->life);
	if (note->life > sender->life) {
		CHECK(sender->told);
		sender->life = note->life;
		sender->next = 0;
	}
	CHECK(note->sequence >= sender->next);
	CHECK(note->sequence == sender->next || sender->told);
	sender->next = note->sequence + 1;
	sender->told = false;
	count(&notes_taken);
}

static void receive_notes(void *argument)
{
	struct programs *programs = argument;
	struct correspondent senders[COUNT] = { { .told = true }, { .told = true }, { .told = true } };
	struct note note;
	u32 partition;
	int length;

	while (!signal_pending(current)) {
		length = program_receive(programs->receiver, &note, sizeof(note), &partition);
		if (length == -ENODEV || length == -ERESTARTSYS)
			break;
		CHECK(partition < COUNT && partition != programs->end->index);
		if (length == -ENETRESET) {
			senders[partition].told = true;
			count(&resets_told);
			continue;
		}
		check_note(&note, length);
		CHECK_EQ(note.from, partition);
		take_note(&senders[partition], &note);
	}
	program_close(programs->receiver);
}

/* ---- channels ---- */

static bool channel_is_over(int err)
{
	bool over = err < 0;

	CHECK(!over || err == -EPIPE || err == -ENETRESET || err == -ENODEV || err == -ERESTARTSYS);
	return over;
}

static void echo(struct file *channel)
{
	struct note note;
	int length, written;

	do {
		length = program_read(channel, &note, sizeof(note));
		if (channel_is_over(length))
			break;
		check_note(&note, length);
		written = program_write(channel, &note, (size_t)length);
	} while (!channel_is_over(written));
}

static void echo_channels(void *argument)
{
	struct programs *programs = argument;
	struct file *channel;

	while (!signal_pending(current)) {
		channel = program_accept(programs->listener);
		if (IS_ERR(channel)) {
			CHECK(PTR_ERR(channel) == -ENODEV || PTR_ERR(channel) == -ERESTARTSYS);
			break;
		}
		echo(channel);
		program_close(channel);
	}
}

static void echo_channels_and_close(void *argument)
{
	struct programs *programs = argument;

	echo_channels(programs);
	task_join(&programs->tasks[4], "the other program that echoes");
	program_close(programs->listener);
}

static void ask_for_echoes(struct programs *programs, struct file *channel, u32 *sequence)
{
	struct note note, answer;
	int length;

	for (u32 n = 0; n < 8; n++) {
		fill_note(&note, programs, ++*sequence);
		length = program_write(channel, &note, note.length);
		if (channel_is_over(length))
			break;
		length = program_read(channel, &answer, sizeof(answer));
		if (channel_is_over(length))
			break;
		CHECK_EQ(length, note.length);
		CHECK(!memcmp(&note, &answer, note.length));
		count(&echoes_taken);
	}
}

static void open_channels(void *argument)
{
	struct programs *programs = argument;
	u32 sequence = 0;

	for (u32 turn = 0; !signal_pending(current); turn++) {
		u32 peer = (programs->end->index + 1 + turn % (COUNT - 1)) % COUNT;
		struct file *channel =
			program_open_channel(programs->opener, peer, CHANNEL_PORT, PACKET_SIZE, OPEN_MS);
		long err = IS_ERR(channel) ? PTR_ERR(channel) : 0;

		CHECK(!err || err == -ENODEV || err == -ENOTCONN || err == -ENETRESET || err == -ECONNREFUSED ||
		      err == -ETIMEDOUT || err == -EINTR || err == -EBUSY);
		if (err == -ENODEV)
			break;
		if (err) {
			await_room(programs, peer);
			continue;
		}
		ask_for_echoes(programs, channel, &sequence);
		program_close(channel);
	}
	program_close(programs->opener);
}

/* ---- what is done to them ---- */

static void programs_start(struct programs *programs, u32 index)
{
	programs->end = &machine.ends[index];
	programs->life++;
	programs->sender = program_at(index, 0);
	programs->receiver = program_bound_at(index, PORT, 0);
	programs->opener = program_at(index, 0);
	programs->listener = program_listening_at(index, CHANNEL_PORT, PACKET_SIZE);
	task_start(&programs->tasks[4], echo_channels, programs);
	task_start(&programs->tasks[0], send_notes, programs);
	task_start(&programs->tasks[1], receive_notes, programs);
	task_start(&programs->tasks[2], open_channels, programs);
	task_start(&programs->tasks[3], echo_channels_and_close, programs);
}

static void programs_join(struct programs *programs)
{
	static const char *const names[] = { "the sender", "the receiver", "the opener", "the listener" };

	for (u32 i = 0; i < PROGRAMS - 1; i++)
		task_join(&programs->tasks[i], names[i]);
}

static void programs_kill(struct programs *programs)
{
	for (u32 i = 0; i < PROGRAMS; i++)
		task_signal(&programs->tasks[i]);
	programs_join(programs);
}

static void reload(struct programs *programs, u32 index)
{
	end_stop(&machine.ends[index]);
	programs_join(programs);
	CHECK_EQ(end_start(&machine.ends[index]), 0);
	programs_start(programs, index);
}

static void kill_and_boot(struct programs *programs, u32 index)
{
	end_kill(&machine.ends[index]);
	programs_kill(programs);
	end_stop(&machine.ends[index]);
	end_boot(&machine.ends[index]);
	CHECK_EQ(end_start(&machine.ends[index]), 0);
	programs_start(programs, index);
}

static void disturb(u64 *random)
{
	u32 index = random_next(random) % COUNT;

	switch (random_next(random) % 4) {
	case 0:
		reload(&all[index], index);
		break;
	case 1:
		kill_and_boot(&all[index], index);
		break;
	default:
		end_reset_link(&machine.ends[index], (index + 1) % COUNT);
	}
}

static void test_no_reset_hangs_loses_in_silence_or_brings_back_the_past(void)
{
	u32 rounds = soaking() ? 50000 : 600;
	u64 random = 11;

	machine_start(COUNT);
	for (u32 i = 0; i < COUNT; i++)
		programs_start(&all[i], i);
	for (u32 round = 0; round < rounds; round++) {
		disturb(&random);
		if (random_next(&random) % 4)
			machine_await_links();
	}
	machine_await_links();
	for (u32 i = 0; i < COUNT; i++)
		programs_kill(&all[i]);
	machine_stop();
	printf("   %llu messages, %llu echoes, %llu resets told\n", (unsigned long long)notes_taken,
	       (unsigned long long)echoes_taken, (unsigned long long)resets_told);
	CHECK(notes_taken > rounds && echoes_taken > rounds && resets_told > rounds / 4);
}

int main(void)
{
	RUN(test_no_reset_hangs_loses_in_silence_or_brings_back_the_past);
	return 0;
}
