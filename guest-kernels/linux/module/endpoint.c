// SPDX-License-Identifier: GPL-2.0-only
/* Endpoints: who listens on which port, and what waits there. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "endpoint.h"

void endpoints_init(struct endpoints *all)
{
	spin_lock_init(&all->lock);
	hash_init(all->by_port);
	all->last_ephemeral = IKC_PORT_FIRST_EPHEMERAL;
}

void endpoint_init(struct endpoint *endpoint, struct endpoints *all)
{
	endpoint->all = all;
	init_waitqueue_head(&endpoint->changed);
	INIT_LIST_HEAD(&endpoint->parcels);
}

static struct endpoint *endpoint_find(struct endpoints *all, u16 port)
{
	struct endpoint *endpoint;

	hash_for_each_possible(all->by_port, endpoint, node, port)
		if (endpoint->port == port)
			return endpoint;
	return NULL;
}

void endpoint_destroy(struct endpoint *endpoint)
{
	struct parcel *parcel, *next;

	spin_lock(&endpoint->all->lock);
	if (endpoint->port)
		hash_del(&endpoint->node);
	spin_unlock(&endpoint->all->lock);
	list_for_each_entry_safe(parcel, next, &endpoint->parcels, list)
		kfree(parcel);
}

/* 0: none is free. */
static u16 endpoint_free_port(struct endpoints *all)
{
	u32 tries;

	for (tries = IKC_PORT_FIRST_EPHEMERAL; tries <= U16_MAX; tries++) {
		if (all->last_ephemeral++ == U16_MAX)
			all->last_ephemeral = IKC_PORT_FIRST_EPHEMERAL;
		if (!endpoint_find(all, all->last_ephemeral))
			return all->last_ephemeral;
	}
	return 0;
}

static int endpoint_bind_locked(struct endpoint *endpoint, u16 port)
{
	if (!port)
		port = endpoint_free_port(endpoint->all);
	if (!port || endpoint_find(endpoint->all, port))
		return -EADDRINUSE;
	endpoint->port = port;
	hash_add(endpoint->all->by_port, &endpoint->node, port);
	return 0;
}

int endpoint_bind(struct endpoint *endpoint, u16 port)
{
	int err;

	spin_lock(&endpoint->all->lock);
	err = endpoint->port ? -EINVAL : endpoint_bind_locked(endpoint, port);
	spin_unlock(&endpoint->all->lock);
	return err;
}

int endpoint_connect(struct endpoint *endpoint, u32 peer, u16 peer_port)
{
	int err;

	spin_lock(&endpoint->all->lock);
	if (endpoint->connected)
		err = -EISCONN;
	else
		err = endpoint->port ? 0 : endpoint_bind_locked(endpoint, 0);
	if (!err) {
		endpoint->connected = true;
		endpoint->peer = peer;
		endpoint->peer_port = peer_port;
	}
	spin_unlock(&endpoint->all->lock);
	return err;
}

static bool endpoint_is_to(const struct endpoint *endpoint, u32 peer, u16 peer_port)
{
	return endpoint->peer == peer && endpoint->peer_port == peer_port;
}

static int endpoint_take_refusal(struct endpoint *endpoint)
{
	if (!endpoint->refused)
		return 0;
	WRITE_ONCE(endpoint->refused, false);
	return -ECONNREFUSED;
}

static int endpoint_prepare_send_locked(struct endpoint *endpoint, u32 peer, u16 peer_port)
{
	int err;

	if (endpoint->connected && !endpoint_is_to(endpoint, peer, peer_port))
		return -EISCONN;
	if (endpoint->was_reset & BIT_ULL(peer)) {
		WRITE_ONCE(endpoint->was_reset, endpoint->was_reset & ~BIT_ULL(peer));
		return -ENETRESET;
	}
	err = endpoint_take_refusal(endpoint);
	if (err)
		return err;
	if (!endpoint->port) {
		err = endpoint_bind_locked(endpoint, 0);
		if (err)
			return err;
	}
	endpoint->spoken_with |= BIT_ULL(peer);
	return 0;
}

int endpoint_prepare_send(struct endpoint *endpoint, u32 peer, u16 peer_port)
{
	int err;

	spin_lock(&endpoint->all->lock);
	err = endpoint_prepare_send_locked(endpoint, peer, peer_port);
	spin_unlock(&endpoint->all->lock);
	return err;
}

bool endpoint_is_connected(struct endpoint *endpoint, u32 *peer)
{
	bool connected;

	spin_lock(&endpoint->all->lock);
	connected = endpoint->connected;
	*peer = endpoint->peer;
	spin_unlock(&endpoint->all->lock);
	return connected;
}

bool endpoint_has_error(struct endpoint *endpoint)
{
	return READ_ONCE(endpoint->was_reset) || READ_ONCE(endpoint->refused);
}

bool endpoint_has_news(struct endpoint *endpoint)
{
	bool news;

	spin_lock(&endpoint->all->lock);
	news = !list_empty(&endpoint->parcels) || endpoint_has_error(endpoint);
	spin_unlock(&endpoint->all->lock);
	return news;
}

static int endpoint_take_error(struct endpoint *endpoint, u32 *reset_by)
{
	int err = endpoint_take_refusal(endpoint);

	if (err)
		return err;
	if (!endpoint->was_reset)
		return -EAGAIN;
	*reset_by = __ffs64(endpoint->was_reset);
	WRITE_ONCE(endpoint->was_reset, endpoint->was_reset & ~BIT_ULL(*reset_by));
	return -ENETRESET;
}

static int endpoint_take_locked(struct endpoint *endpoint, u32 room, struct parcel **parcel, u32 *length,
				u32 *reset_by)
{
	struct parcel *first = list_first_entry_or_null(&endpoint->parcels, struct parcel, list);

	if (!endpoint->port)
		return -EINVAL;
	if (!first)
		return endpoint_take_error(endpoint, reset_by);
	*length = first->length;
	if (first->length > room)
		return -EMSGSIZE;
	list_del(&first->list);
	endpoint->queued[first->partition] -= sizeof(*first) + first->length;
	*parcel = first;
	return 0;
}

int endpoint_take(struct endpoint *endpoint, u32 room, struct parcel **parcel, u32 *length, u32 *reset_by)
{
	int err;

	spin_lock(&endpoint->all->lock);
	err = endpoint_take_locked(endpoint, room, parcel, length, reset_by);
	spin_unlock(&endpoint->all->lock);
	return err;
}

static int endpoint_queue(struct endpoint *endpoint, struct parcel *parcel)
{
	u32 size = sizeof(*parcel) + parcel->length;

	if (endpoint->connected && !endpoint_is_to(endpoint, parcel->partition, parcel->from_port))
		return -ECONNREFUSED;
	/* Messages of a new life do not overtake the news that the old one ended. */
	if (endpoint->was_reset & BIT_ULL(parcel->partition))
		return -EAGAIN;
	if (endpoint->queued[parcel->partition] + size > ENDPOINT_QUEUE_MAX)
		return -EAGAIN;
	endpoint->queued[parcel->partition] += size;
	endpoint->spoken_with |= BIT_ULL(parcel->partition);
	list_add_tail(&parcel->list, &endpoint->parcels);
	wake_up_interruptible_poll(&endpoint->changed, EPOLLIN);
	return 0;
}

int endpoints_deliver(struct endpoints *all, struct parcel *parcel)
{
	struct endpoint *endpoint;
	int err = -ECONNREFUSED;

	spin_lock(&all->lock);
	endpoint = endpoint_find(all, parcel->to_port);
	if (endpoint)
		err = endpoint_queue(endpoint, parcel);
	spin_unlock(&all->lock);
	return err;
}

void endpoints_tell_reset(struct endpoints *all, u32 partition)
{
	struct endpoint *endpoint;
	u32 bucket;

	spin_lock(&all->lock);
	hash_for_each(all->by_port, bucket, endpoint, node) {
		if (!(endpoint->spoken_with & BIT_ULL(partition)))
			continue;
		endpoint->spoken_with &= ~BIT_ULL(partition);
		WRITE_ONCE(endpoint->was_reset, endpoint->was_reset | BIT_ULL(partition));
		wake_up_interruptible_poll(&endpoint->changed, EPOLLIN | EPOLLERR);
	}
	spin_unlock(&all->lock);
}

void endpoints_tell_refused(struct endpoints *all, u32 partition, u16 peer_port, u16 port)
{
	struct endpoint *endpoint;

	spin_lock(&all->lock);
	endpoint = endpoint_find(all, port);
	if (endpoint && endpoint->connected && endpoint_is_to(endpoint, partition, peer_port)) {
		WRITE_ONCE(endpoint->refused, true);
		wake_up_interruptible_poll(&endpoint->changed, EPOLLIN | EPOLLERR);
	}
	spin_unlock(&all->lock);
}

void endpoints_wake(struct endpoints *all)
{
	struct endpoint *endpoint;
	u32 bucket;

	spin_lock(&all->lock);
	hash_for_each(all->by_port, bucket, endpoint, node)
		wake_up_interruptible_all(&endpoint->changed);
	spin_unlock(&all->lock);
}
