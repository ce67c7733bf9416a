// SPDX-License-Identifier: GPL-2.0-only
/* Data messages of a link: from programs to the ring, from the ring to endpoints. */
#include <linux/slab.h>

#include "link_ring.h"

/* Messages taken in one call. */
#define LINK_DATA_MAX 64

/* ---- out ---- */

static int link_send_locked(struct link *link, const struct ikc_message *message, const void *payload)
{
	int err;

	if (!link_runs(link))
		return -ENOTCONN;
	err = link_publish(link, IKC_RING_DATA, message, payload);
	if (err != -EAGAIN)
		return err;
	/* What was taken before the flag was up rings nobody: look again. */
	link_wait_for_room(link, IKC_RING_DATA);
	err = link_publish(link, IKC_RING_DATA, message, payload);
	if (err == -EAGAIN)
		link_count(&link->ikc.own->counters.full, 1);
	return err;
}

int link_send(struct link *link, const struct ikc_message *message, const void *payload)
{
	int err;

	mutex_lock(&link->lock);
	err = link_send_locked(link, message, payload);
	mutex_unlock(&link->lock);
	return err;
}

static bool link_has_room_locked(struct link *link)
{
	struct ikc_sender *sender = &link->ikc.senders[IKC_RING_DATA];
	int needed = ikc_slots_for(IKC_MESSAGE_MAX);

	if (!link_runs(link))
		return false;
	if (ikc_sender_room(sender) >= needed)
		return true;
	link_wait_for_room(link, IKC_RING_DATA);
	return ikc_sender_room(sender) >= needed;
}

bool link_has_room(struct link *link)
{
	bool room;

	mutex_lock(&link->lock);
	room = link_has_room_locked(link);
	mutex_unlock(&link->lock);
	return room;
}

/* ---- in ---- */

/* Returns false if its endpoint has no room: the ring then stands still until link_serve_data is called. */
static bool link_hand_over(struct link *link)
{
	int err = endpoints_deliver(link->endpoints, link->held);

	if (err == -EAGAIN)
		return false;
	if (err) {
		link_refuse(link, link->held);
		kfree(link->held);
	}
	WRITE_ONCE(link->held, NULL);
	return true;
}

static bool link_data_one(struct link *link, const struct ikc_message *message)
{
	struct parcel *parcel = kmalloc(struct_size(parcel, data, message->length), GFP_KERNEL);

	if (!parcel) { /* what is lost is told: both sides see a reset */
		link_give_up(link);
		link_schedule_control(link->works);
		return false;
	}
	parcel->partition = link->ikc.peer_id;
	parcel->length = message->length;
	parcel->to_port = message->to_port;
	parcel->from_port = message->from_port;
	memcpy(parcel->data, link->buffer, message->length);
	WRITE_ONCE(link->held, parcel);
	return link_hand_over(link);
}

bool link_serve_data(struct link *link)
{
	bool more = false;

	mutex_lock(&link->lock);
	if (link_runs(link)) {
		link_wake_waiting(link, IKC_RING_DATA);
		if (!link->held || link_hand_over(link))
			more = link_drain(link, IKC_RING_DATA, LINK_DATA_MAX, link_data_one);
	}
	mutex_unlock(&link->lock);
	return more;
}

void link_resume(struct link *link)
{
	if (READ_ONCE(link->held))
		link_schedule_data(link->works);
}
