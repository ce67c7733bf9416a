// SPDX-License-Identifier: GPL-2.0-only
/* Listeners: who takes channels on which port. */
#include <linux/errno.h>
#include <linux/poll.h>

#include "link.h"

void listeners_init(struct listeners *all)
{
	spin_lock_init(&all->lock);
	INIT_LIST_HEAD(&all->list);
}

void listener_init(struct listener *listener, struct listeners *all)
{
	listener->all = all;
	init_waitqueue_head(&listener->changed);
	INIT_LIST_HEAD(&listener->list);
	INIT_LIST_HEAD(&listener->waiting);
}

static struct listener *listener_find(struct listeners *all, u16 port)
{
	struct listener *listener;

	list_for_each_entry(listener, &all->list, list)
		if (listener->port == port)
			return listener;
	return NULL;
}

int listener_listen(struct listener *listener, u16 port, u32 magic, u32 packet_size)
{
	struct listeners *all = listener->all;
	int err = 0;

	spin_lock(&all->lock);
	if (!list_empty(&listener->list))
		err = -EINVAL;
	else if (listener_find(all, port))
		err = -EADDRINUSE;
	if (!err) {
		listener->port = port;
		listener->magic = magic;
		listener->packet_size = packet_size;
		list_add(&listener->list, &all->list);
	}
	spin_unlock(&all->lock);
	return err;
}

struct channel *listener_take(struct listener *listener)
{
	struct channel *channel;

	spin_lock(&listener->all->lock);
	channel = list_first_entry_or_null(&listener->waiting, struct channel, list);
	if (channel) {
		list_del_init(&channel->list);
		WRITE_ONCE(listener->waiting_count, listener->waiting_count - 1);
	}
	spin_unlock(&listener->all->lock);
	return channel;
}

bool listener_has_channel(struct listener *listener)
{
	return READ_ONCE(listener->waiting_count) != 0;
}

void listener_destroy(struct listener *listener)
{
	struct channel *channel;

	spin_lock(&listener->all->lock);
	list_del_init(&listener->list);
	spin_unlock(&listener->all->lock);
	while ((channel = listener_take(listener)))
		link_close_channel(channel);
}

static enum ikc_channel_refusal listener_judge(const struct listener *listener, const struct ikc_terms *terms)
{
	if (!listener)
		return IKC_REFUSAL_PORT;
	if (terms->magic != listener->magic)
		return IKC_REFUSAL_MAGIC;
	if (terms->packet_size != listener->packet_size)
		return IKC_REFUSAL_PACKET_SIZE;
	return listener->waiting_count < LISTENER_BACKLOG_MAX ? IKC_REFUSAL_NONE : IKC_REFUSAL_BUSY;
}

enum ikc_channel_refusal listeners_judge(struct listeners *all, const struct ikc_terms *terms)
{
	enum ikc_channel_refusal refusal;

	spin_lock(&all->lock);
	refusal = listener_judge(listener_find(all, terms->to_port), terms);
	spin_unlock(&all->lock);
	return refusal;
}

bool listeners_deliver(struct listeners *all, struct channel *channel)
{
	struct listener *listener;

	spin_lock(&all->lock);
	listener = listener_find(all, channel->terms.to_port);
	if (listener) {
		list_add_tail(&channel->list, &listener->waiting);
		WRITE_ONCE(listener->waiting_count, listener->waiting_count + 1);
		wake_up_interruptible_poll(&listener->changed, EPOLLIN);
	}
	spin_unlock(&all->lock);
	return listener;
}

void listeners_wake(struct listeners *all)
{
	struct listener *listener;

	spin_lock(&all->lock);
	list_for_each_entry(listener, &all->list, list)
		wake_up_interruptible_all(&listener->changed);
	spin_unlock(&all->lock);
}
