// SPDX-License-Identifier: GPL-2.0-only
/* How programs get channels: they ask a peer for one, or take those that peers have opened. */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "channel_file.h"
#include "channel_open.h"
#include "waiting.h"

static int channel_open_try(void *context)
{
	struct channel *channel = context;

	if (READ_ONCE(channel->dead))
		return -ENETRESET;
	if (smp_load_acquire(&channel->denied))
		return -ECONNREFUSED;
	return READ_ONCE(channel->opened) ? 0 : -EAGAIN;
}

/* As long as it costs to be rung: an interrupt, a work and a wakeup. */
#define CHANNEL_OPEN_LOOK_NS (200 * NSEC_PER_USEC)

/* The answer is mostly there before anybody could have slept. */
static void channel_open_look(struct channel *channel)
{
	u64 until = ktime_get_ns() + CHANNEL_OPEN_LOOK_NS;
	u32 seen = link_channel_news(channel->link);

	link_look_for_news(channel->link);
	while (channel_open_try(channel) == -EAGAIN && !need_resched() && ktime_get_ns() < until) {
		u32 news = link_channel_news(channel->link);

		if (news != seen)
			link_look_for_news(channel->link);
		seen = news;
		cpu_relax();
	}
}

static long channel_open_waiting(struct fabric *fabric, u16 own_port, struct ikc_open *open,
				      struct channel **channel)
{
	struct ikc_terms terms = {
		.to_port = open->address.port,
		.from_port = own_port,
		.magic = open->magic,
		.packet_size = open->packet_size,
	};
	struct link *link = fabric_link(fabric, open->address.partition);
	long left = msecs_to_jiffies(open->timeout_ms);
	int err;

	if (!link)
		return -EHOSTUNREACH;
	err = link_open_channel(link, &terms, channel);
	if (err)
		return err;
	channel_open_look(*channel);
	err = waiting_for(&(*channel)->readable, channel_open_try, *channel, &left);
	if (err) {
		open->refusal = (*channel)->refusal;
		link_close_channel(*channel);
	}
	return err == -ERESTARTSYS ? -EINTR : err; /* the time that is left is not kept */
}

long channel_open(struct fabric *fabric, u16 own_port, void __user *argument)
{
	struct channel *channel;
	struct ikc_open open;
	int err;

	if (copy_from_user(&open, argument, sizeof(open)))
		return -EFAULT;
	if (open.reserved || open.address.reserved || !open.address.port || !open.packet_size ||
	    open.packet_size > IKC_MESSAGE_MAX)
		return -EINVAL;
	err = channel_open_waiting(fabric, own_port, &open, &channel);
	if (!err)
		return channel_file_install(fabric, channel, &open, argument);
	if (err == -ECONNREFUSED && copy_to_user(argument, &open, sizeof(open)))
		return -EFAULT;
	return err;
}

/* Waits for a channel. NULL and *err: there is none. */
static struct channel *channel_open_await(struct fabric *fabric, struct listener *listener, bool wait,
						 int *err)
{
	struct channel *channel;

	for (;;) {
		*err = -ENODEV;
		if (READ_ONCE(fabric->stopping))
			return NULL;
		channel = listener_take(listener);
		*err = -EAGAIN;
		if (channel || !wait)
			return channel;
		*err = wait_event_interruptible(listener->changed, listener_has_channel(listener) ||
								   READ_ONCE(fabric->stopping));
		if (*err)
			return NULL;
	}
}

long channel_accept(struct fabric *fabric, struct listener *listener, void __user *argument, bool wait)
{
	struct channel *channel;
	struct ikc_open open;
	int err;

	if (list_empty(&listener->list))
		return -EINVAL;
	channel = channel_open_await(fabric, listener, wait, &err);
	if (!channel)
		return err;
	open = (struct ikc_open) {
		.address = { .partition = channel->link->ikc.peer_id, .port = channel->terms.from_port },
		.magic = channel->terms.magic,
		.packet_size = channel->terms.packet_size,
	};
	return channel_file_install(fabric, channel, &open, argument);
}
