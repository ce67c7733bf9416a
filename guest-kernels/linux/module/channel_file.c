// SPDX-License-Identifier: GPL-2.0-only
/* Files of channels. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/ioctls.h>

#include "bench.h"
#include "channel_file.h"
#include "channel_turn.h"
#include "ikc_uapi.h"
#include "stops.h"
#include "waiting.h"

#define CHANNEL_SPIN_MAX_NS NSEC_PER_SEC

struct channel_file {
	struct fabric *fabric;
	struct channel *channel;
	struct channel_turns turns;
	struct stops *stops; /* set once, or NULL */
	struct mutex reader; /* held through all of a read: one that waits keeps its turn */
	struct mutex writer;
	u8 in[IKC_MESSAGE_MAX];
	u8 out[IKC_MESSAGE_MAX];
};

/* ---- read ---- */

/* What is being read. */
struct reading {
	struct channel_file *file;
	size_t room;
	struct channel_next next;
};

static struct channel_next channel_file_next(struct channel_file *file)
{
	return (struct channel_next) { .buffer = file->in, .capacity = sizeof(file->in) };
}

static int channel_file_receive(void *context)
{
	struct reading *reading = context;

	if (READ_ONCE(reading->file->fabric->stopping))
		return -ENODEV;
	return channel_receive(reading->file->channel, &reading->next, reading->room);
}

static int channel_file_await(struct reading *reading, bool wait)
{
	struct channel_file *file = reading->file;
	long left = MAX_SCHEDULE_TIMEOUT;

	if (!wait)
		return channel_file_receive(reading);
	if (file->turns.spin_ns)
		channel_spin(file->channel, file->turns.spin_ns);
	return waiting_for(&file->channel->readable, channel_file_receive, reading, &left);
}

/* Copied messages are taken by now; lent ones when they have gone to the program. */
static ssize_t channel_file_give(struct reading *reading, char __user *buffer)
{
	const struct channel_next *next = &reading->next;
	int err;

	if (copy_to_user(buffer, next->lent ? next->lent : next->buffer, next->length))
		return -EFAULT;
	err = next->lent ? channel_take_lent(reading->file->channel, next) : 0;
	return err ?: (ssize_t)next->length;
}

static int channel_file_lock(struct mutex *lock, bool wait)
{
	if (!wait)
		return mutex_trylock(lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(lock) ? -ERESTARTSYS : 0;
}

static ssize_t channel_file_read(struct file *file, char __user *buffer, size_t size, loff_t *at)
{
	struct channel_file *channel_file = file->private_data;
	struct reading reading = { .file = channel_file, .room = size, .next = channel_file_next(channel_file) };
	bool wait = !(file->f_flags & O_NONBLOCK);
	ssize_t result = channel_file_lock(&channel_file->reader, wait);

	if (result)
		return result;
	result = channel_file_await(&reading, wait);
	if (!result)
		result = channel_file_give(&reading, buffer);
	mutex_unlock(&channel_file->reader);
	return result;
}

/* ---- write ---- */

/* What is being written. */
struct writing {
	struct channel_file *file;
	u32 length;
	int first; /* page of the pool; below 0: in file->out */
};

static int channel_file_put(void *context)
{
	struct writing *writing = context;
	struct channel *channel = writing->file->channel;

	if (READ_ONCE(writing->file->fabric->stopping))
		return -ENODEV;
	if (writing->first < 0)
		return channel_send(channel, writing->file->out, writing->length);
	return channel_lend(channel, writing->first, writing->length);
}

static int channel_file_send(struct writing *writing, bool wait)
{
	long left = MAX_SCHEDULE_TIMEOUT;

	if (!wait)
		return channel_file_put(writing);
	return waiting_for(&writing->file->channel->writable, channel_file_put, writing, &left);
}

/* What is lent on this channel rings when it is given back; of what others lend, nobody hears: look now and then. */
#define CHANNEL_POOL_RETRY (HZ / 100 + 1)

static int channel_file_try_pages(void *context)
{
	struct writing *writing = context;
	struct fabric *fabric = writing->file->fabric;

	if (READ_ONCE(fabric->stopping))
		return -ENODEV;
	writing->first = lending_take(&fabric->shared.lending, writing->length);
	if (writing->first == -EAGAIN) {
		fabric_reap(fabric);
		channel_await_reaped(writing->file->channel);
		writing->first = lending_take(&fabric->shared.lending, writing->length);
	}
	return writing->first < 0 ? writing->first : 0;
}

static int channel_file_take_pages(struct writing *writing, bool wait)
{
	int err = channel_file_try_pages(writing);

	while (wait && (err == -EAGAIN || err == -ETIMEDOUT)) {
		long left = CHANNEL_POOL_RETRY;

		err = waiting_for(&writing->file->channel->writable, channel_file_try_pages, writing, &left);
	}
	return err;
}

static ssize_t channel_file_write_lent(struct channel_file *file, const char __user *buffer, u32 length,
				       bool wait)
{
	struct lending *lending = &file->fabric->shared.lending;
	struct writing writing = { .file = file, .length = length };
	int err;

	err = channel_file_take_pages(&writing, wait);
	if (err)
		return err;
	err = -EFAULT;
	if (!copy_from_user(lending->bytes + (size_t)writing.first * IKC_PAGE_SIZE, buffer, length))
		err = channel_file_send(&writing, wait);
	if (err)
		lending_give(lending, writing.first, length);
	return err ?: (ssize_t)length;
}

static ssize_t channel_file_write_copied(struct channel_file *file, const char __user *buffer, u32 length,
					 bool wait)
{
	struct writing writing = { .file = file, .length = length, .first = -1 };
	int err;

	if (copy_from_user(file->out, buffer, length))
		return -EFAULT;
	err = channel_file_send(&writing, wait);
	return err ?: (ssize_t)length;
}

static ssize_t channel_file_write(struct file *file, const char __user *buffer, size_t length, loff_t *at)
{
	struct channel_file *channel_file = file->private_data;
	bool wait = !(file->f_flags & O_NONBLOCK);
	ssize_t result;

	if (length > IKC_POOL_SIZE)
		return -EMSGSIZE;
	result = channel_file_lock(&channel_file->writer, wait);
	if (result)
		return result;
	if (length > channel_file->channel->terms.packet_size)
		result = channel_file_write_lent(channel_file, buffer, length, wait);
	else
		result = channel_file_write_copied(channel_file, buffer, length, wait);
	mutex_unlock(&channel_file->writer);
	return result;
}

/* Several messages, out of file->out. */
struct several {
	struct channel_file *file;
	u32 length;
	u32 count;
	int sent;
};

static int channel_file_put_several(void *context)
{
	struct several *several = context;
	struct channel_file *file = several->file;

	if (READ_ONCE(file->fabric->stopping))
		return -ENODEV;
	several->sent = channel_send_several(file->channel, file->out, several->length, several->count);
	return several->sent < 0 ? several->sent : 0;
}

static long channel_file_send_several(struct file *file, void __user *argument)
{
	struct channel_file *channel_file = file->private_data;
	struct several several = { .file = channel_file };
	bool wait = !(file->f_flags & O_NONBLOCK);
	long left = MAX_SCHEDULE_TIMEOUT;
	struct ikc_several given;
	int err;

	if (copy_from_user(&given, argument, sizeof(given)))
		return -EFAULT;
	if (!given.count)
		return -EINVAL;
	if (given.count > IKC_MESSAGE_MAX || given.length > IKC_MESSAGE_MAX / given.count)
		return -EMSGSIZE;
	several.length = given.length;
	several.count = given.count;
	err = channel_file_lock(&channel_file->writer, wait);
	if (err)
		return err;
	err = -EFAULT;
	if (!copy_from_user(channel_file->out, u64_to_user_ptr(given.messages), given.length * given.count))
		err = wait ? waiting_for(&channel_file->channel->writable, channel_file_put_several, &several, &left) :
			     channel_file_put_several(&several);
	mutex_unlock(&channel_file->writer);
	return err ?: several.sent;
}

/* ---- poll and ioctl ---- */

static __poll_t channel_file_poll(struct file *file, poll_table *table)
{
	struct channel_file *channel_file = file->private_data;
	struct channel *channel = channel_file->channel;
	__poll_t events = 0;

	poll_wait(file, &channel->readable, table);
	poll_wait(file, &channel->writable, table);
	if (channel_is_readable(channel))
		events |= EPOLLIN;
	if (channel_is_writable(channel))
		events |= EPOLLOUT;
	if (READ_ONCE(channel->ended) || READ_ONCE(channel->dead) || READ_ONCE(channel_file->fabric->stopping))
		events |= EPOLLHUP;
	return events;
}

static long channel_file_length(struct channel_file *file, void __user *argument)
{
	struct channel_next next = channel_file_next(file);
	int length = 0;
	int err = channel_file_lock(&file->reader, true);

	if (err)
		return err;
	if (!channel_peek(file->channel, &next))
		length = next.length;
	mutex_unlock(&file->reader);
	return put_user(length, (int __user *)argument);
}

static long channel_file_serve(struct channel_file *file, void __user *argument)
{
	u32 cpu;

	if (get_user(cpu, (u32 __user *)argument))
		return -EFAULT;
	return link_serve_channel_on(file->channel, cpu);
}

static long channel_file_spin(struct channel_file *file, void __user *argument)
{
	u64 ns;

	if (get_user(ns, (u64 __user *)argument))
		return -EFAULT;
	if (ns > CHANNEL_SPIN_MAX_NS)
		return -EINVAL;
	WRITE_ONCE(file->turns.spin_ns, ns);
	return 0;
}

static long channel_file_measure(struct channel_file *file, void __user *argument)
{
	struct ikc_measure measure;
	int err;

	if (copy_from_user(&measure, argument, sizeof(measure)))
		return -EFAULT;
	err = channel_file_lock(&file->reader, true);
	if (err)
		return err;
	mutex_lock(&file->writer); /* in this order here alone */
	err = bench_measure(file->channel, &measure, file->in);
	mutex_unlock(&file->writer);
	mutex_unlock(&file->reader);
	if (err)
		return err;
	return copy_to_user(argument, &measure, sizeof(measure)) ? -EFAULT : 0;
}

static long channel_file_tell_stops(struct channel_file *file, void __user *argument)
{
	struct stops *stops;
	int err = -EBUSY;

	mutex_lock(&file->writer);
	if (!file->stops) {
		stops = stops_new(file->channel, argument);
		err = IS_ERR(stops) ? PTR_ERR(stops) : 0;
		file->stops = err ? NULL : stops;
	}
	mutex_unlock(&file->writer);
	return err;
}

static noinline long channel_file_ioctl_seldom(struct file *file, unsigned int command, void __user *pointer)
{
	struct channel_file *channel_file = file->private_data;

	switch (command) {
	case FIONREAD:
		return channel_file_length(channel_file, pointer);
	case IKC_IOCTL_SERVE:
		return channel_file_serve(channel_file, pointer);
	case IKC_IOCTL_SPIN:
		return channel_file_spin(channel_file, pointer);
	case IKC_IOCTL_STOPS:
		return channel_file_tell_stops(channel_file, pointer);
	case IKC_IOCTL_SEVERAL:
		return channel_file_send_several(file, pointer);
	case IKC_IOCTL_MEASURE:
		return channel_file_measure(channel_file, pointer);
	case IKC_IOCTL_SIGNALS:
		return channel_turns_await_signals(&channel_file->turns, pointer);
	case IKC_IOCTL_STOP:
		return channel_turns_stop(&channel_file->turns);
	default:
		return -ENOTTY;
	}
}

/* What a call of a program waits for does not go through all others. */
static CHANNEL_HOT long channel_file_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct channel_file *channel_file = file->private_data;
	void __user *pointer = (void __user *)argument;

	if (READ_ONCE(channel_file->fabric->stopping))
		return -ENODEV;
	if (command != IKC_IOCTL_TURN)
		return channel_file_ioctl_seldom(file, command, pointer);
	return channel_turns_turn(&channel_file->turns, pointer, !(file->f_flags & O_NONBLOCK));
}

/* ---- open and close ---- */

static int channel_file_release(struct inode *inode, struct file *file)
{
	struct channel_file *channel_file = file->private_data;
	struct fabric *fabric = channel_file->fabric;

	stops_free(channel_file->stops);
	channel_turns_end(&channel_file->turns);
	link_close_channel(channel_file->channel);
	kfree(channel_file);
	fabric_put(fabric);
	return 0;
}

static const struct file_operations channel_file_operations = {
	.owner = THIS_MODULE,
	.release = channel_file_release,
	.read = channel_file_read,
	.write = channel_file_write,
	.unlocked_ioctl = channel_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = channel_file_poll,
	.llseek = no_llseek,
};

/* A file for `channel`, which it owns from now on, also if this fails. */
static struct file *channel_file_new(struct fabric *fabric, struct channel *channel)
{
	struct channel_file *channel_file = kzalloc(sizeof(*channel_file), GFP_KERNEL);
	struct file *file = ERR_PTR(-ENOMEM);

	if (channel_file) {
		channel_file->fabric = fabric;
		channel_file->channel = channel;
		mutex_init(&channel_file->reader);
		mutex_init(&channel_file->writer);
		channel_turns_init(&channel_file->turns, channel, &fabric->stopping);
		file = anon_inode_getfile("[ikc-channel]", &channel_file_operations, channel_file, O_RDWR);
	}
	if (IS_ERR(file)) {
		kfree(channel_file);
		link_close_channel(channel);
		return file;
	}
	fabric_get(fabric);
	return file;
}

long channel_file_install(struct fabric *fabric, struct channel *channel, struct ikc_open *open,
			  void __user *argument)
{
	struct file *file = channel_file_new(fabric, channel);
	int fd;

	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	open->fd = fd;
	if (fd >= 0 && copy_to_user(argument, open, sizeof(*open))) {
		put_unused_fd(fd);
		fd = -EFAULT;
	}
	if (fd < 0) {
		fput(file);
		return fd;
	}
	fd_install(fd, file);
	return 0;
}
