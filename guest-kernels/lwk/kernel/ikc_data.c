/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between listeners here and listeners there. Any CPU sends; CPU 0's work receives, a few
 * messages of each peer in turn, so that no peer starves another, nor an interrupt. It spins a
 * while when it finds nothing, then raises its flags, looks again, and sleeps until a doorbell.
 */
#include <arch/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_trace.h>
#include <lwk/time.h>
#include <lwk/work.h>

#define BATCH 32 /* messages of one peer before the next has its turn */
#define SPIN_NS (50 * NS_PER_US) /* about half of what a doorbell costs under TCG */

static struct ikc_listener *listeners;

static struct ikc_listener *find_listener(uint16_t port)
{
	struct ikc_listener *listener = listeners;

	while (listener && listener->port != port)
		listener = listener->next;
	return listener;
}

int ikc_listen(struct ikc_listener *listener)
{
	if (find_listener(listener->port))
		return -EEXIST;
	listener->next = listeners;
	listeners = listener;
	return 0;
}

/* ---- sending ---- */

/* Asks to be rung when there is room, and looks again. Under the lock. */
static int wait_for_room(struct ikc_peer *peer, uint32_t length)
{
	struct ikc_sender *sender = &peer->link.senders[IKC_RING_DATA];
	uint32_t wanted = ikc_slots_for(length);
	int room;

	peer->room_wanted = peer->sender_waits ? MIN(peer->room_wanted, wanted) : wanted;
	peer->sender_waits = true;
	ikc_sender_wait(sender, true);
	room = ikc_sender_room(sender);
	if (room >= 0)
		return (uint32_t)room < wanted ? -EAGAIN : 0;
	ikc_peer_fault(peer, IKC_RESET_BAD_TAIL);
	return -ENOTCONN;
}

/* Under the lock. */
static int send(struct ikc_peer *peer, const struct ikc_message *message, const void *payload)
{
	struct ikc_sender *sender = &peer->link.senders[IKC_RING_DATA];
	struct ikc_counters *counters = &peer->link.own->counters;
	int result = ikc_send(sender, message, payload);

	if (result == IKC_FULL) {
		int err = wait_for_room(peer, message->length);

		if (err) {
			ikc_count(&counters->full, 1);
			return err;
		}
		result = ikc_send(sender, message, payload);
	}
	if (result == IKC_TOO_LARGE)
		return -EMSGSIZE;
	if (result != IKC_OK) {
		ikc_peer_fault(peer, IKC_RESET_BAD_TAIL);
		return -ENOTCONN;
	}
	ikc_count(&counters->sent, 1);
	ikc_count(&counters->sent_bytes, message->length);
	ikc_trace(peer->id, peer->link.generation, IKC_RING_DATA, IKC_TRACE_SENT, message, payload);
	return 0;
}

int ikc_send_message(uint32_t peer_id, uint16_t from_port, uint16_t to_port, const void *payload,
		     uint32_t length)
{
	struct ikc_message message = {
		.length = length,
		.to_port = to_port,
		.from_port = from_port,
	};
	struct ikc_peer *peer = ikc_peer_find(peer_id);
	uint64_t flags;
	bool ring;
	int err;

	if (!peer)
		return -ENXIO;
	flags = spin_lock(&peer->lock);
	err = ikc_peer_is_served(peer) ? send(peer, &message, payload) : -ENOTCONN;
	ring = !err && ikc_receiver_sleeps(&peer->link.senders[IKC_RING_DATA]);
	ikc_peer_unlock(peer, flags, ring, IKC_VECTOR_DATA);
	return err;
}

int ikc_wait_for_room(uint32_t peer_id, uint32_t length)
{
	struct ikc_peer *peer = ikc_peer_find(peer_id);
	uint64_t flags;
	int err, room;

	if (!peer)
		return -ENXIO;
	if (length > IKC_MESSAGE_MAX)
		return -EMSGSIZE;
	flags = spin_lock(&peer->lock);
	if (!ikc_peer_is_served(peer)) {
		err = -ENOTCONN;
	} else {
		room = ikc_sender_room(&peer->link.senders[IKC_RING_DATA]);
		err = room >= (int)ikc_slots_for(length) ? 0 : wait_for_room(peer, length);
	}
	spin_unlock(&peer->lock, flags);
	return err;
}

/* ---- receiving: CPU 0's work ---- */

static void tell_listeners(uint32_t peer, bool up)
{
	for (struct ikc_listener *listener = listeners; listener; listener = listener->next)
		if (listener->link)
			listener->link(peer, up);
}

/*
 * Tells the listeners of a life that ended, then of one that began. No message of one is seen in
 * the other.
 */
static void serve_life(struct ikc_peer *peer)
{
	uint32_t ended;
	uint64_t flags;
	bool up;

	flags = spin_lock(&peer->lock);
	ended = ikc_peer_is_served(peer) ? 0 : peer->served;
	if (ended) {
		peer->served = 0;
		peer->holds = false;
	}
	spin_unlock(&peer->lock, flags);
	if (ended)
		tell_listeners(peer->id, false);

	flags = spin_lock(&peer->lock);
	/* the users of an earlier life's channels hear of its end first */
	up = peer->link.state == IKC_LINK_RUN && !peer->served && !peer->channels_used;
	if (up) {
		peer->served = peer->link.generation;
		channels_begin(peer);
	}
	spin_unlock(&peer->lock, flags);
	if (up) {
		ikc_links_look_soon(); /* at the channels, which were not looked at so far */
		tell_listeners(peer->id, true);
	}
}

/* True if somebody waited for room and there is some. Under the lock. */
static bool find_room(struct ikc_peer *peer)
{
	struct ikc_sender *sender = &peer->link.senders[IKC_RING_DATA];
	int room = ikc_sender_room(sender);

	if (room < 0)
		ikc_peer_fault(peer, IKC_RESET_BAD_TAIL);
	if (room < (int)peer->room_wanted)
		return false;
	peer->sender_waits = false;
	ikc_sender_wait(sender, false);
	return true;
}

/* False while something waits for room. */
static bool serve_room(struct ikc_peer *peer)
{
	uint64_t flags = spin_lock(&peer->lock);
	bool waits = ikc_peer_is_served(peer) && peer->sender_waits;
	bool found = waits && find_room(peer);

	spin_unlock(&peer->lock, flags);
	if (!found)
		return !waits;
	for (struct ikc_listener *listener = listeners; listener; listener = listener->next)
		if (listener->room)
			listener->room(peer->id);
	return true;
}

static void refuse(struct ikc_peer *peer, const struct ikc_message *message)
{
	struct ikc_refusal refusal = {
		.to_port = message->to_port,
		.from_port = message->from_port,
	};
	uint64_t flags = spin_lock(&peer->lock);
	bool ring = false;

	if (ikc_peer_is_served(peer)) {
		ikc_count(&peer->link.own->counters.refused, 1);
		ring = ikc_peer_send_control(peer, IKC_CONTROL_REFUSED, &refusal, sizeof(refusal));
	}
	ikc_peer_unlock(peer, flags, ring, IKC_VECTOR_CONTROL);
}

/* Gives the message in `peer` to its listener; false if that cannot take it yet. */
static bool deliver(struct ikc_peer *peer)
{
	struct ikc_listener *listener = find_listener(peer->message.to_port);

	peer->holds = false;
	if (!listener)
		refuse(peer, &peer->message);
	else if (listener->receive(peer->id, &peer->message, peer->payload) == -EAGAIN)
		peer->holds = true;
	return !peer->holds;
}

/* Copies the next message out of the ring into `peer`. */
static bool take(struct ikc_peer *peer)
{
	struct ikc_receiver *receiver = &peer->link.receivers[IKC_RING_DATA];
	struct ikc_counters *counters = &peer->link.own->counters;
	uint64_t flags = spin_lock(&peer->lock);
	int result = IKC_EMPTY;

	if (ikc_peer_is_served(peer))
		result = ikc_receive(receiver, &peer->message, peer->payload, IKC_MESSAGE_MAX);
	if (result == IKC_OK) {
		ikc_count(&counters->received, 1);
		ikc_count(&counters->received_bytes, peer->message.length);
		ikc_trace(peer->id, peer->link.generation, IKC_RING_DATA, IKC_TRACE_TAKEN,
			  &peer->message, peer->payload);
		if (peer->receiver_waits) {
			peer->receiver_waits = false;
			ikc_receiver_wait(receiver, false);
			ikc_count(&counters->interrupts, 1);
		}
	} else if (result != IKC_EMPTY) {
		ikc_peer_fault(peer, IKC_RESET_BAD_LENGTH);
	}
	spin_unlock(&peer->lock, flags);
	return result == IKC_OK;
}

static void ring_for_room(struct ikc_peer *peer)
{
	uint64_t flags = spin_lock(&peer->lock);
	bool ring = ikc_peer_is_served(peer) && ikc_sender_sleeps(&peer->link.receivers[IKC_RING_DATA]);

	ikc_peer_unlock(peer, flags, ring, IKC_VECTOR_DATA);
}

/* One turn of one peer. True if it took anything. */
static bool serve(struct ikc_peer *peer)
{
	int taken = 0;
	bool room;

	serve_life(peer);
	room = serve_room(peer);
	if (peer->holds && (!room || !deliver(peer)))
		return false;
	while (taken < BATCH && take(peer)) {
		taken++;
		if (!deliver(peer))
			break;
	}
	if (taken)
		ring_for_room(peer);
	return taken > 0;
}

/* Before sleeping. False if there is something to take after all. */
static bool raise_flag(struct ikc_peer *peer)
{
	struct ikc_receiver *receiver = &peer->link.receivers[IKC_RING_DATA];
	uint64_t flags = spin_lock(&peer->lock);
	bool sleeps = true;

	/* while a message is held, room is what this link waits for */
	if (ikc_peer_is_served(peer) && !peer->holds) {
		peer->receiver_waits = true;
		ikc_receiver_wait(receiver, true);
		sleeps = !ikc_receiver_ready(receiver);
	}
	spin_unlock(&peer->lock, flags);
	return sleeps;
}

static void serve_all(struct work *work)
{
	static uint64_t spin_until;
	bool busy = false;

	for_each_ikc_peer(peer)
		busy |= serve(peer);
	if (busy) {
		spin_until = deadline_after(SPIN_NS);
	} else if (!deadline_passed(spin_until)) {
		cpu_relax();
		busy = true;
	} else {
		for_each_ikc_peer(peer)
			busy |= !raise_flag(peer);
	}
	if (busy)
		work_queue(0, work);
}

void ikc_data_look_soon(void)
{
	static struct work work = { .run = serve_all };

	work_queue(0, &work);
}
