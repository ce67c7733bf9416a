/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of a channel. Senders share its lock, which nobody holds for longer than one message; who
 * takes needs none, because only one CPU serves a channel, or polls it, at a time.
 */
#include <lwk/errno.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_pool.h>
#include <lwk/ikc_trace.h>
#include <lwk/ivshmem.h>
#include <lwk/string.h>

/* ---- sending: under the channel's lock ---- */

/* Who has taken it over is alone: taking over waits for this lock. */
static uint64_t lock(struct channel *channel)
{
	return channel->taken_over ? 0 : spin_lock(&channel->lock);
}

/* Ends what lock() began; then rings the peer, if `ring`. */
HOT static void unlock(struct channel *channel, uint64_t flags, bool ring)
{
	uint32_t vector = 0;

	if (ring) {
		vector = ikc_channel_vector(&channel->peer->channels, channel->index);
		ikc_count(&channel->words->doorbells, 1);
	}
	if (!channel->taken_over)
		spin_unlock(&channel->lock, flags);
	if (ring)
		ivshmem_ring(channel->peer->id, vector);
}

static bool may_send(const struct channel *channel)
{
	return channel->state == CHANNEL_OPEN && !channel_flag(&channel->closing) &&
	       !channel_flag(&channel->peer_closed);
}

/* Asks to be rung when there is room, and looks again. 0, -EAGAIN or -EPROTO. */
static int wait_for_room(struct channel *channel, uint32_t wanted)
{
	struct ikc_sender *sender = &channel->sender;
	int room;

	if (!channel->taken_over) { /* else he polls */
		channel->room_wanted =
			channel->sender_waits ? MIN(channel->room_wanted, wanted) : wanted;
		channel->sender_waits = true;
		ikc_sender_wait(sender, true);
	}
	room = ikc_sender_room(sender);
	if (room < 0)
		return -EPROTO;
	return (uint32_t)room < wanted ? -EAGAIN : 0;
}

static int reap(struct channel *channel)
{
	int err;

	if (!channel->lends)
		return 0;
	err = ikc_pool_reap(&channel->loans, &channel->sender);
	if (channel->loans.settled == channel->sender.head)
		channel->lends = false;
	return err;
}

static int begin_loans(struct channel *channel)
{
	if (channel->lends)
		return 0;
	if (ikc_loans_begin(&channel->loans, &channel->sender) != IKC_OK)
		return -EPROTO;
	channel->lends = true;
	channel->quick = false;
	return 0;
}

/* What is sent: a payload, or a reference to pages of the pool. */
struct parcel {
	struct ikc_message message;
	const void *payload;
	uint32_t first; /* of the pages */
	uint32_t length; /* of what lies there */
};

static int put(struct channel *channel, const struct parcel *parcel)
{
	if (parcel->message.to_port == IKC_PACKET_LENT)
		return ikc_lend(&channel->loans, &channel->sender, parcel->first, parcel->length);
	return ikc_send(&channel->sender, &parcel->message, parcel->payload);
}

static int send(struct channel *channel, const struct parcel *parcel)
{
	int result, err = reap(channel);

	if (!err && parcel->message.to_port == IKC_PACKET_LENT)
		err = begin_loans(channel);
	if (err)
		return err;
	result = put(channel, parcel);
	if (result == IKC_FULL) {
		err = wait_for_room(channel, ikc_slots_for(parcel->message.length));
		if (err == -EAGAIN)
			ikc_count(&channel->words->full, 1);
		if (!err)
			err = reap(channel); /* of what was taken since: its slots are lent in again */
		if (err)
			return err;
		result = put(channel, parcel);
	}
	if (result != IKC_OK)
		return -EPROTO;
	ikc_count(&channel->words->sent, 1);
	channel_record(channel, IKC_TRACE_SENT, &parcel->message, parcel->payload);
	return 0;
}

static int blame(struct channel *channel, int err)
{
	if (err != -EPROTO)
		return err;
	channel_fault(channel, IKC_RESET_BAD_TAIL);
	return -ENOTCONN;
}

static int send_parcel(struct channel *channel, const struct parcel *parcel)
{
	uint64_t flags = lock(channel);
	int err = may_send(channel) ? send(channel, parcel) : -ENOTCONN;

	unlock(channel, flags, !err && ikc_receiver_sleeps(&channel->sender));
	return blame(channel, err);
}

/* What does not go at once goes the long way. */
HOT int channel_send_slowly(struct channel *channel, const void *payload, uint32_t length)
{
	struct parcel parcel = {
		.message = { .length = length, .to_port = IKC_PACKET_COPIED },
		.payload = payload,
	};
	uint64_t flags = lock(channel);

	if (!may_send(channel) || channel->lends ||
	    ikc_send(&channel->sender, &parcel.message, payload) != IKC_OK) {
		unlock(channel, flags, false);
		return send_parcel(channel, &parcel);
	}
	ikc_count(&channel->words->sent, 1);
	channel_record(channel, IKC_TRACE_SENT, &parcel.message, payload);
	unlock(channel, flags, ikc_receiver_sleeps(&channel->sender));
	return 0;
}

int channel_lend(struct channel *channel, uint32_t first, uint32_t length)
{
	struct ikc_reference reference = { (uint64_t)first * IKC_PAGE_SIZE, length, 0 };
	struct parcel parcel = {
		.message = { .length = sizeof(reference), .to_port = IKC_PACKET_LENT },
		.payload = &reference,
		.first = first,
		.length = length,
	};

	return send_parcel(channel, &parcel);
}

int channel_send_lent(struct channel *channel, const void *payload, uint32_t length)
{
	int err, first = ikc_pool_claim(length, channel);

	if (first < 0)
		return first;
	memcpy(ikc_pool_page(first), payload, length);
	err = channel_lend(channel, first, length);
	if (err)
		ikc_pool_release(first, length);
	return err;
}

int channel_wait_for_room(struct channel *channel, uint32_t length)
{
	uint32_t wanted = ikc_slots_for(length);
	uint64_t flags;
	int room, err;

	if (length > channel->packet_size)
		return -EMSGSIZE;
	flags = lock(channel);
	err = may_send(channel) ? reap(channel) : -ENOTCONN;
	if (!err) {
		room = ikc_sender_room(&channel->sender);
		err = room >= (int)wanted ? 0 : wait_for_room(channel, wanted);
	}
	unlock(channel, flags, false);
	return blame(channel, err);
}

/* ---- room ---- */

/* Under the lock. True if somebody waited for room and there is some; -EPROTO in *err. */
static bool lower_flag(struct channel *channel, int *err)
{
	struct ikc_sender *sender = &channel->sender;
	int room;

	if (!channel->sender_waits || *err)
		return false;
	room = ikc_sender_room(sender);
	if (room < 0)
		*err = -EPROTO;
	if (room < (int)channel->room_wanted)
		return false;
	channel->sender_waits = false;
	ikc_sender_wait(sender, false);
	return true;
}

bool channel_find_room(struct channel *channel)
{
	bool found = false;
	uint64_t flags;
	int err = 0;

	/* raised at this moment: the doorbell for it brings another look */
	if (!channel_flag(&channel->sender_waits))
		return false;
	flags = spin_lock(&channel->lock);
	if (channel->state == CHANNEL_OPEN) {
		err = reap(channel);
		found = lower_flag(channel, &err);
	}
	spin_unlock(&channel->lock, flags);
	blame(channel, err);
	return found;
}

void channel_recall_loans(struct channel *channel)
{
	uint64_t flags = spin_lock(&channel->lock);
	int room, err = 0;

	if (channel->state == CHANNEL_OPEN && channel->lends && !channel->taken_over) {
		/* the flag first: what is taken behind the look rings */
		if (!channel->sender_waits)
			channel->room_wanted = channel->sender.slot_count;
		channel->sender_waits = true;
		ikc_sender_wait(&channel->sender, true);
		err = reap(channel);
		room = ikc_sender_room(&channel->sender);
		if (room >= 0)
			channel->room_wanted = MIN(channel->room_wanted, (uint32_t)room + 1);
	}
	spin_unlock(&channel->lock, flags);
	blame(channel, err);
}

void channel_ring(struct channel *channel)
{
	uint64_t flags = lock(channel);

	unlock(channel, flags, channel->state == CHANNEL_OPEN);
}

void channel_stop(struct channel *channel, bool *flag)
{
	uint64_t flags = spin_lock(&channel->lock);

	channel_set_flag(flag);
	channel->quick = false;
	spin_unlock(&channel->lock, flags);
}

/* ---- taking: for who serves the channel or has taken it over ---- */

static int bad_message(struct channel *channel)
{
	channel_fault(channel, IKC_RESET_BAD_LENGTH);
	return -ENOTCONN;
}

/* Why there is no message. */
static int nothing(struct channel *channel, bool peer_closed)
{
	return peer_closed || channel_state(channel) != CHANNEL_OPEN ? -ENOTCONN : -EAGAIN;
}

static int open_copy(struct channel *channel, struct channel_message *message)
{
	message->lent = false;
	message->payload = message->copy;
	message->length = message->taken.length;
	return message->length <= channel->packet_size ? 0 : bad_message(channel);
}

static int open_reference(struct channel *channel, struct channel_message *message)
{
	const uint8_t *pool = ikc_partition_at(&ikc_local.map, channel->peer->id)->pool;

	message->lent = true;
	message->payload = ikc_lent(pool, &message->taken, message->copy, &message->length);
	return message->payload ? 0 : bad_message(channel);
}

HOT int channel_peek_slowly(struct channel *channel, struct channel_message *message, uint8_t *buffer)
{
	bool peer_closed = channel_flag(&channel->peer_closed); /* before the look: then this is all */
	int result = ikc_peek(&channel->receiver, &message->taken, buffer, IKC_MESSAGE_MAX);

	if (result == IKC_EMPTY)
		return nothing(channel, peer_closed);
	if (result != IKC_OK)
		return bad_message(channel);
	message->copy = buffer;
	if (message->taken.to_port == IKC_PACKET_COPIED)
		return open_copy(channel, message);
	if (message->taken.to_port == IKC_PACKET_LENT)
		return open_reference(channel, message);
	channel_take(channel, message); /* a packet of a later version */
	return -EAGAIN;
}
