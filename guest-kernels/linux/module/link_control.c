// SPDX-License-Identifier: GPL-2.0-only
/* Control messages of a link: PING, PONG and REFUSED. */
#include <linux/completion.h>
#include <linux/ktime.h>

#include "link_ring.h"
#include "waiting.h"

/* Messages taken in one call. */
#define LINK_CONTROL_MAX 32

/* Slots of the control ring that our own PINGs leave for answers. */
#define LINK_CONTROL_RESERVE (IKC_CONTROL_SLOTS / 2)

struct ping {
	struct link *link;
	struct list_head list;
	struct completion answered;
	u64 cookie;
	ktime_t sent;
	ktime_t at;
	int err;
};

/* ---- answers ---- */

/*
 * Answers are dropped when the peer does not empty its control ring: whoever asks must read. That
 * is seen in the counter `full`.
 */
static void link_answer(struct link *link, enum ikc_control type, u32 length, const void *payload)
{
	struct ikc_message message = { .length = length, .to_port = type };

	if (link_publish(link, IKC_RING_CONTROL, &message, payload) == -EAGAIN)
		link_count(&link->ikc.own->counters.full, 1);
}

void link_refuse(struct link *link, const struct parcel *parcel)
{
	struct ikc_refusal refusal = { .to_port = parcel->to_port, .from_port = parcel->from_port };

	link_count(&link->ikc.own->counters.refused, 1);
	link_answer(link, IKC_CONTROL_REFUSED, sizeof(refusal), &refusal);
}

static void link_take_pong(struct link *link, u32 length)
{
	struct ping *ping;
	u64 cookie;

	if (length != sizeof(cookie))
		return;
	memcpy(&cookie, link->buffer, sizeof(cookie));
	list_for_each_entry(ping, &link->pings, list) {
		if (ping->cookie != cookie)
			continue;
		list_del_init(&ping->list);
		ping->at = ktime_get();
		complete(&ping->answered);
		return;
	}
}

static void link_take_refusal(struct link *link, u32 length)
{
	struct ikc_refusal refusal;

	if (length != sizeof(refusal))
		return;
	memcpy(&refusal, link->buffer, sizeof(refusal));
	endpoints_tell_refused(link->endpoints, link->ikc.peer_id, refusal.to_port, refusal.from_port);
}

static void link_take_control(struct link *link, const struct ikc_message *message)
{
	switch (message->to_port) {
	case IKC_CONTROL_PING:
		link_answer(link, IKC_CONTROL_PONG, message->length, link->buffer);
		break;
	case IKC_CONTROL_PONG:
		link_take_pong(link, message->length);
		break;
	case IKC_CONTROL_REFUSED:
		link_take_refusal(link, message->length);
		break;
	default: /* of a later ABI minor: nobody here waits for it */
		break;
	}
}

static bool link_control_one(struct link *link, const struct ikc_message *message)
{
	link_take_control(link, message);
	return true;
}

bool link_serve_control(struct link *link)
{
	bool more = false;

	mutex_lock(&link->lock);
	if (!link->stopped) {
		link_settle(link);
		if (link_runs(link))
			link_wake_waiting(link, IKC_RING_CONTROL);
		if (link_runs(link))
			link_look_at_channels(link);
		if (link_runs(link))
			more = link_drain(link, IKC_RING_CONTROL, LINK_CONTROL_MAX, link_control_one);
	}
	mutex_unlock(&link->lock);
	return more;
}

/* ---- ping ---- */

void link_fail_pings(struct link *link)
{
	struct ping *ping, *next;

	list_for_each_entry_safe(ping, next, &link->pings, list) {
		list_del_init(&ping->list);
		ping->err = -ENETRESET;
		complete(&ping->answered);
	}
}

static bool link_has_room_for_ping(struct link *link)
{
	int room = ikc_sender_room(&link->ikc.senders[IKC_RING_CONTROL]);

	return room < 0 || room > LINK_CONTROL_RESERVE; /* below 0: the fault is found on sending */
}

static int link_send_ping_locked(struct link *link, struct ping *ping)
{
	struct ikc_message message = { .length = sizeof(ping->cookie), .to_port = IKC_CONTROL_PING };
	int err;

	if (!link_runs(link))
		return -ENOTCONN;
	if (!link_has_room_for_ping(link)) {
		link_wait_for_room(link, IKC_RING_CONTROL);
		if (!link_has_room_for_ping(link))
			return -EAGAIN;
	}
	ping->cookie = link->next_ping++;
	ping->sent = ktime_get();
	err = link_publish(link, IKC_RING_CONTROL, &message, &ping->cookie);
	if (!err)
		list_add_tail(&ping->list, &link->pings);
	return err;
}

static int link_send_ping(void *context)
{
	struct ping *ping = context;
	int err;

	mutex_lock(&ping->link->lock);
	err = link_send_ping_locked(ping->link, ping);
	mutex_unlock(&ping->link->lock);
	return err;
}

int link_ping(struct link *link, u32 timeout_ms, u64 *round_trip_ns)
{
	struct ping ping = { .link = link };
	long left = msecs_to_jiffies(timeout_ms);
	int err;

	init_completion(&ping.answered);
	INIT_LIST_HEAD(&ping.list);
	err = waiting_for(&link->writable, link_send_ping, &ping, &left);
	if (err)
		return err == -ERESTARTSYS ? -EINTR : err; /* the time that is left is not kept */
	left = wait_for_completion_interruptible_timeout(&ping.answered, left);
	mutex_lock(&link->lock);
	list_del(&ping.list);
	mutex_unlock(&link->lock);
	if (ping.err)
		return ping.err;
	if (completion_done(&ping.answered) || left > 0) {
		*round_trip_ns = ktime_to_ns(ktime_sub(ping.at, ping.sent));
		return 0;
	}
	return left < 0 ? -EINTR : -ETIMEDOUT;
}
