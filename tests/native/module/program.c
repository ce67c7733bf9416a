/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include "check.h"

int program_ioctl(struct file *file, unsigned int command, void *argument)
{
	return (int)file->operations->unlocked_ioctl(file, command, (unsigned long)argument);
}

struct file *program_open(struct end *end, unsigned int flags)
{
	struct miscdevice *misc = &end_fabric(end)->misc;

	return file_open(misc->fops, misc, flags);
}

void program_close(struct file *file)
{
	fput(file);
}

int program_bind(struct file *file, u16 port)
{
	struct ikc_address address = { .port = port };

	return program_ioctl(file, IKC_IOCTL_BIND, &address);
}

int program_connect(struct file *file, u32 partition, u16 port)
{
	struct ikc_address address = { .partition = partition, .port = port };

	return program_ioctl(file, IKC_IOCTL_CONNECT, &address);
}

int program_send(struct file *file, u32 partition, u16 port, const void *payload, u32 length)
{
	struct ikc_transfer transfer = {
		.address = { .partition = partition, .port = port },
		.length = length,
		.buffer = (uintptr_t)payload,
	};

	return program_ioctl(file, IKC_IOCTL_SEND, &transfer);
}

int program_receive(struct file *file, void *buffer, u32 size, u32 *partition)
{
	struct ikc_transfer transfer = { .length = size, .buffer = (uintptr_t)buffer };
	int err = program_ioctl(file, IKC_IOCTL_RECEIVE, &transfer);

	*partition = transfer.address.partition;
	return err ? err : (int)transfer.length;
}

int program_ping(struct file *file, u32 partition, u32 timeout_ms)
{
	struct ikc_round_trip trip = { .partition = partition, .timeout_ms = timeout_ms };

	return program_ioctl(file, IKC_IOCTL_PING, &trip);
}

int program_listen(struct file *file, u16 port, u32 packet_size)
{
	struct ikc_listen listen = { .port = port, .magic = PROGRAM_MAGIC, .packet_size = packet_size };

	return program_ioctl(file, IKC_IOCTL_LISTEN, &listen);
}

static struct file *program_channel(int err, const struct ikc_open *open)
{
	return err ? ERR_PTR(err) : file_of_fd(open->fd);
}

struct file *program_accept(struct file *file)
{
	struct ikc_open open = { 0 };
	int err = program_ioctl(file, IKC_IOCTL_ACCEPT, &open);

	return program_channel(err, &open);
}

struct file *program_open_channel(struct file *file, u32 partition, u16 port, u32 packet_size, u32 timeout_ms)
{
	struct ikc_open open = {
		.address = { .partition = partition, .port = port },
		.magic = PROGRAM_MAGIC,
		.packet_size = packet_size,
		.timeout_ms = timeout_ms,
	};
	int err = program_ioctl(file, IKC_IOCTL_OPEN, &open);

	return program_channel(err, &open);
}

int program_write(struct file *channel, const void *payload, size_t length)
{
	loff_t at = 0;

	return (int)channel->operations->write(channel, payload, length, &at);
}

int program_read(struct file *channel, void *buffer, size_t size)
{
	loff_t at = 0;

	return (int)channel->operations->read(channel, buffer, size, &at);
}

int program_serve(struct file *channel, u32 cpu)
{
	return program_ioctl(channel, IKC_IOCTL_SERVE, &cpu);
}

int program_write_several(struct file *channel, const void *messages, u32 length, u32 count)
{
	struct ikc_several several = { (uintptr_t)messages, length, count };

	return program_ioctl(channel, IKC_IOCTL_SEVERAL, &several);
}

unsigned int program_poll(struct file *file)
{
	poll_table table = { 0 };

	return file->operations->poll(file, &table);
}

struct file *program_at(u32 end, unsigned int flags)
{
	struct file *file = program_open(&machine.ends[end], flags);

	CHECK(!IS_ERR(file));
	return file;
}

struct file *program_bound_at(u32 end, u16 port, unsigned int flags)
{
	struct file *file = program_at(end, flags);

	CHECK_EQ(program_bind(file, port), 0);
	return file;
}

struct file *program_listening_at(u32 end, u16 port, u32 packet_size)
{
	struct file *file = program_at(end, 0);

	CHECK_EQ(program_listen(file, port, packet_size), 0);
	return file;
}
