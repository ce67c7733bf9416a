// SPDX-License-Identifier: GPL-2.0-only
/*
 * One link. What the peer writes is hostile: it is read through ikc_ring.h and ikc_link.h alone, each
 * call does a bounded amount of work whatever the peer writes, and nonsense resets the link.
 */
#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "link.h"

/* Control messages and data messages taken in one call. */
#define LINK_CONTROL_MAX 32
#define LINK_DATA_MAX 64

/* Slots of the control ring that our own PINGs leave for answers. */
#define LINK_CONTROL_RESERVE (IKC_CONTROL_SLOTS / 2)

struct ping {
	struct list_head list;
	struct completion answered;
	u64 cookie;
	ktime_t at;
	int err;
};

static void link_count(u64 *counter, u64 amount)
{
	ikc_store(counter, ikc_load(counter) + amount);
}

static void link_ring(struct link *link, enum ikc_vector vector)
{
	link_count(&link->ikc.own->counters.doorbells, 1);
	region_ring(link->region, link->ikc.peer_id, vector);
}

static enum ikc_vector link_vector(enum ikc_ring_kind kind)
{
	return kind == IKC_RING_DATA ? IKC_VECTOR_DATA : IKC_VECTOR_CONTROL;
}

static bool link_runs(const struct link *link)
{
	return link->ikc.state == IKC_LINK_RUN;
}

/* ---- life ---- */

static void link_say_running(struct link *link)
{
	dev_info_ratelimited(&link->region->pdev->dev, "link to %s: RUN, generations %u.%u and %u.%u\n",
			     link->name, link->ikc.generation >> 16, link->ikc.generation & 0xffff,
			     link->ikc.peer_generation >> 16, link->ikc.peer_generation & 0xffff);
}

static const char *link_reset_reason(const struct link *link)
{
	static const char *const words[] = {
		[IKC_RESET_NONE] = "no reason",
		[IKC_RESET_BOOT] = "boot",
		[IKC_RESET_PEER_DEAD] = "the peer is dead",
		[IKC_RESET_PEER_RESET] = "the peer began anew",
		[IKC_RESET_BAD_STATE] = "the peer's handshake makes no sense",
		[IKC_RESET_BAD_TAIL] = "the peer took what was never sent",
		[IKC_RESET_BAD_LENGTH] = "the peer sent an impossible message",
		[IKC_RESET_LOCAL] = "asked for here",
	};
	u32 reason = ikc_load(&link->ikc.own->reset_reason);

	return reason < ARRAY_SIZE(words) ? words[reason] : "?";
}

static void link_came_up(struct link *link)
{
	u32 kind;

	for (kind = 0; kind < IKC_RINGS; kind++)
		ikc_receiver_wait(&link->ikc.receivers[kind], true);
	link_say_running(link);
	link_schedule_data(link->works);
	wake_up_interruptible_all(&link->writable);
}

static void link_fail_pings(struct link *link)
{
	struct ping *ping, *next;

	list_for_each_entry_safe(ping, next, &link->pings, list) {
		list_del_init(&ping->list);
		ping->err = -ENETRESET;
		complete(&ping->answered);
	}
}

static void link_went_down(struct link *link)
{
	dev_info_ratelimited(&link->region->pdev->dev, "link to %s: RESET, %s\n", link->name,
			     link_reset_reason(link));
	kfree(link->held);
	link->held = NULL;
	link->sender_waits = false;
	link_fail_pings(link);
	endpoints_tell_reset(link->endpoints, link->ikc.peer_id);
	wake_up_interruptible_all(&link->writable);
}

/* After this end was stepped: tells what became of the life `generation`, in which it `ran` or not. */
static void link_follow(struct link *link, bool ran, u32 generation)
{
	bool same = link->ikc.generation == generation;

	if (ran && !(same && link_runs(link)))
		link_went_down(link);
	if (link_runs(link) && !(ran && same))
		link_came_up(link);
	link_ring(link, IKC_VECTOR_CONTROL);
}

/* Goes as far as the peer's words allow. */
static void link_settle(struct link *link)
{
	bool ran = link_runs(link);
	u32 generation = link->ikc.generation;

	if (!ikc_link_settle(&link->ikc))
		return;
	link_count(&link->ikc.own->counters.interrupts, 1);
	link_follow(link, ran, generation);
}

/* The peer's ring is broken, or its life is over. */
static void link_fault(struct link *link, enum ikc_reset_reason reason)
{
	u32 generation = link->ikc.generation;

	ikc_link_fault(&link->ikc, reason);
	link_follow(link, true, generation);
	link_schedule_control(link->works);
}

/* Gives up this life of the link for a reason of our own. */
static void link_give_up(struct link *link)
{
	bool ran = link_runs(link);
	u32 generation = link->ikc.generation;

	ikc_link_reset(&link->ikc, IKC_RESET_LOCAL);
	link_follow(link, ran, generation);
}

void link_init(struct link *link, const struct region *region, struct endpoints *endpoints,
	       struct link_works *works, u32 peer)
{
	link->region = region;
	link->endpoints = endpoints;
	link->works = works;
	init_waitqueue_head(&link->writable);
	mutex_init(&link->lock);
	INIT_LIST_HEAD(&link->pings);
	region_name(region, peer, link->name);
	ikc_link_init(&link->ikc, region->base, region->own_id, peer, region->incarnation);
}

void link_stop(struct link *link)
{
	mutex_lock(&link->lock);
	link->stopped = true;
	link_give_up(link);
	mutex_unlock(&link->lock);
}

/* ---- sending ---- */

static int link_publish(struct link *link, enum ikc_ring_kind kind, const struct ikc_message *message,
			const void *payload)
{
	struct ikc_sender *sender = &link->ikc.senders[kind];
	struct ikc_counters *counters = &link->ikc.own->counters;
	int result = ikc_send(sender, message, payload);

	switch (result) {
	case IKC_OK:
		break;
	case IKC_FULL:
		link_count(&counters->full, 1);
		return -EAGAIN;
	case IKC_TOO_LARGE:
		return -EMSGSIZE;
	default:
		link_fault(link, IKC_RESET_BAD_TAIL);
		return -ENOTCONN;
	}
	if (kind == IKC_RING_DATA) {
		link_count(&counters->sent, 1);
		link_count(&counters->sent_bytes, message->length);
	}
	if (ikc_receiver_sleeps(sender))
		link_ring(link, link_vector(kind));
	return 0;
}

static void link_wait_for_room(struct link *link)
{
	link->sender_waits = true;
	ikc_sender_wait(&link->ikc.senders[IKC_RING_DATA], true);
}

static int link_send_locked(struct link *link, const struct ikc_message *message, const void *payload)
{
	int err;

	if (!link_runs(link))
		return -ENOTCONN;
	err = link_publish(link, IKC_RING_DATA, message, payload);
	if (err != -EAGAIN)
		return err;
	/* What was taken before the flag was up rings nobody: look again. */
	link_wait_for_room(link);
	return link_publish(link, IKC_RING_DATA, message, payload);
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
	link_wait_for_room(link);
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

static void link_wake_senders(struct link *link)
{
	struct ikc_sender *sender = &link->ikc.senders[IKC_RING_DATA];

	if (!link->sender_waits || ikc_sender_room(sender) == 0)
		return;
	link->sender_waits = false;
	ikc_sender_wait(sender, false);
	wake_up_interruptible_all(&link->writable);
}

/* ---- receiving ---- */

/* One message into link->buffer. Returns false if there is none, or the link is reset because of it. */
static bool link_receive(struct link *link, enum ikc_ring_kind kind, struct ikc_message *message)
{
	struct ikc_receiver *receiver = &link->ikc.receivers[kind];
	struct ikc_counters *counters = &link->ikc.own->counters;
	int result = ikc_receive(receiver, message, link->buffer, sizeof(link->buffer));

	if (result == IKC_EMPTY)
		return false;
	if (result != IKC_OK) {
		link_fault(link, IKC_RESET_BAD_LENGTH);
		return false;
	}
	if (kind == IKC_RING_DATA) {
		link_count(&counters->received, 1);
		link_count(&counters->received_bytes, message->length);
	}
	if (ikc_sender_sleeps(receiver))
		link_ring(link, link_vector(kind));
	return true;
}

/*
 * Answers are dropped when the peer does not empty its control ring: whoever asks must read. That
 * is seen in the counter `full`.
 */
static void link_answer(struct link *link, enum ikc_control type, u32 length, const void *payload)
{
	struct ikc_message message = { .length = length, .to_port = type };

	link_publish(link, IKC_RING_CONTROL, &message, payload);
}

static void link_refuse(struct link *link, const struct parcel *parcel)
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

/*
 * Takes up to `most` messages. The flag is down meanwhile, so that the peer need not ring, and up again
 * before the last look. Returns true if the ring may hold more that can be taken now.
 */
static bool link_drain(struct link *link, enum ikc_ring_kind kind, u32 most,
		       bool (*take)(struct link *, const struct ikc_message *))
{
	struct ikc_receiver *receiver = &link->ikc.receivers[kind];
	struct ikc_message message;

	ikc_receiver_wait(receiver, false);
	if (ikc_receiver_ready(receiver))
		link_count(&link->ikc.own->counters.interrupts, 1);
	for (; most; most--) {
		if (link_receive(link, kind, &message)) {
			if (!take(link, &message) || !link_runs(link))
				return false;
			continue;
		}
		if (!link_runs(link))
			return false;
		ikc_receiver_wait(receiver, true);
		if (!ikc_receiver_ready(receiver))
			return false;
		ikc_receiver_wait(receiver, false);
	}
	return true;
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
			more = link_drain(link, IKC_RING_CONTROL, LINK_CONTROL_MAX, link_control_one);
	}
	mutex_unlock(&link->lock);
	return more;
}

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
	link->held = NULL;
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
	link->held = parcel;
	return link_hand_over(link);
}

bool link_serve_data(struct link *link)
{
	bool more = false;

	mutex_lock(&link->lock);
	if (link_runs(link)) {
		link_wake_senders(link);
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

/* ---- ping ---- */

static int link_send_ping(struct link *link, struct ping *ping)
{
	struct ikc_message message = { .length = sizeof(ping->cookie), .to_port = IKC_CONTROL_PING };
	int room;
	int err;

	if (!link_runs(link))
		return -ENOTCONN;
	room = ikc_sender_room(&link->ikc.senders[IKC_RING_CONTROL]);
	if (room >= 0 && room <= LINK_CONTROL_RESERVE)
		return -EAGAIN;
	ping->cookie = link->next_ping++;
	err = link_publish(link, IKC_RING_CONTROL, &message, &ping->cookie);
	if (!err)
		list_add_tail(&ping->list, &link->pings);
	return err;
}

int link_ping(struct link *link, u32 timeout_ms, u64 *round_trip_ns)
{
	struct ping ping = { .err = 0 };
	ktime_t begin;
	long left;
	int err;

	init_completion(&ping.answered);
	INIT_LIST_HEAD(&ping.list);
	mutex_lock(&link->lock);
	begin = ktime_get();
	err = link_send_ping(link, &ping);
	mutex_unlock(&link->lock);
	if (err)
		return err;

	left = wait_for_completion_interruptible_timeout(&ping.answered, msecs_to_jiffies(timeout_ms));
	mutex_lock(&link->lock);
	list_del(&ping.list);
	mutex_unlock(&link->lock);
	if (ping.err)
		return ping.err;
	if (completion_done(&ping.answered) || left > 0) {
		*round_trip_ns = ktime_to_ns(ktime_sub(ping.at, begin));
		return 0;
	}
	return left < 0 ? -EINTR : -ETIMEDOUT;
}
