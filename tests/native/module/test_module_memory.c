/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation fails once, one after the other: who asked is told, nothing leaks, and all goes on after it. */
#include "check.h"
#include "program.h"

#define PORT 300
#define CHANNEL_PORT 301
#define PACKET_SIZE 256
#define OPEN_MS 20000

static bool is_shortage(long err)
{
	return err == -ENOMEM || err == -ENFILE || err == -EMFILE;
}

/* One message from end 0 to end 1, or a shortage, or a reset that both are told of. */
static void exchange_message(struct file *const files[2])
{
	u8 byte = 9;
	u32 partition;
	int err = program_send(files[0], 1, PORT, &byte, 1);

	if (is_shortage(err))
		return;
	CHECK_EQ(err, 0);
	byte = 0;
	err = program_receive(files[1], &byte, 1, &partition);
	if (err == -ENETRESET) {
		CHECK_EQ(program_receive(files[0], &byte, 1, &partition), -ENETRESET);
		machine_await_links();
		return;
	}
	CHECK_EQ(err, 1);
	CHECK_EQ(byte, 9);
}

static void exchange_over(struct file *from, struct file *to)
{
	u8 bytes[2 * PACKET_SIZE] = { 9 };

	for (u32 length = 1; length <= sizeof(bytes); length += sizeof(bytes) - 1) {
		CHECK_EQ(program_write(from, bytes, length), length);
		CHECK_EQ(program_read(to, bytes, sizeof(bytes)), length);
	}
}

static void exchange_over_channel(struct file *opener, struct file *listener)
{
	struct file *channel = program_open_channel(opener, 1, CHANNEL_PORT, PACKET_SIZE, OPEN_MS), *other;
	u8 byte;

	if (IS_ERR(channel)) {
		CHECK(is_shortage(PTR_ERR(channel)) || PTR_ERR(channel) == -ECONNREFUSED);
		return;
	}
	other = program_accept(listener);
	if (IS_ERR(other)) {
		CHECK(is_shortage(PTR_ERR(other)));
		CHECK_EQ(program_read(channel, &byte, 1), -EPIPE);
	} else {
		exchange_over(channel, other);
		program_close(other);
	}
	program_close(channel);
}

static void open_device(void)
{
	struct file *file = program_open(&machine.ends[0], 0);

	if (IS_ERR(file))
		CHECK(is_shortage(PTR_ERR(file)));
	else
		program_close(file);
}

/* Returns whether the allocation was come to. */
static bool talk_with_failure_at(long number)
{
	struct file *files[2], *listener;
	bool failed;

	machine_start(2);
	for (u32 i = 0; i < 2; i++)
		files[i] = program_bound_at(i, PORT, 0);
	exchange_message(files); /* so that both speak with each other */
	listener = program_listening_at(1, CHANNEL_PORT, PACKET_SIZE);
	slab_fail_at(number);
	open_device();
	exchange_message(files);
	exchange_over_channel(files[0], listener);
	failed = slab_counted() >= number;
	slab_fail_at(0);
	program_close(listener);
	listener = program_listening_at(1, CHANNEL_PORT, PACKET_SIZE);
	exchange_message(files);
	exchange_over_channel(files[0], listener);
	program_close(listener);
	for (u32 i = 0; i < 2; i++)
		program_close(files[i]);
	machine_stop();
	return failed;
}

static void test_programs_are_told_of_each_shortage(void)
{
	long number = 1;

	while (talk_with_failure_at(number))
		number++;
	printf("   %ld allocations\n", number - 1);
	CHECK(number > 10);
}

static void test_driver_that_finds_no_memory_leaves_nothing(void)
{
	long number;

	machine_start(2);
	end_stop(&machine.ends[1]);
	for (number = 1;; number++) {
		long live = slab_live();

		slab_fail_at(number);
		if (!end_start(&machine.ends[1]))
			break;
		CHECK_EQ(slab_live(), live);
	}
	slab_fail_at(0);
	CHECK(number > 2);
	machine_await_links();
	machine_stop();
}

int main(void)
{
	RUN(test_programs_are_told_of_each_shortage);
	RUN(test_driver_that_finds_no_memory_leaves_nothing);
	return 0;
}
