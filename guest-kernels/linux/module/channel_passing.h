/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each message that passes over a channel passes through. It lies in line, and what happens when a ring is full or empty
 * does not: a call and a return cost as much as the rest of it.
 */
#ifndef CHANNEL_PASSING_H
#define CHANNEL_PASSING_H

#include "channel.h"
#include "link.h"

#define CHANNEL_SHORT static __always_inline

CHANNEL_SHORT struct ikc_channel *channel_words(const struct channel *channel)
{
	return &channel->link->ikc.own->channels[channel->index];
}

CHANNEL_SHORT void channel_count(u64 *counter)
{
	ikc_store(counter, ikc_load(counter) + 1);
}

void channel_record(struct channel *channel, enum ikc_trace_direction direction, const struct ikc_message *message,
		    const void *payload);

CHANNEL_SHORT void channel_trace(struct channel *channel, enum ikc_trace_direction direction,
				 const struct ikc_message *message, const void *payload)
{
	if (unlikely(ikc_trace_wanted(channel->link->trace->own)))
		channel_record(channel, direction, message, payload);
}

/* The peer's words about this channel make no sense; both locks are free. Returns -ENETRESET. */
int channel_fault(struct channel *channel, enum ikc_reset_reason reason);

/* Mostly nobody holds it: then there is nothing to be asked before. */
CHANNEL_SHORT void channel_take_lock(struct mutex *lock)
{
	if (unlikely(!mutex_trylock(lock)))
		mutex_lock(lock);
}

/* ---- out: under the send lock ---- */

/* What is to be sent: copied bytes, or pages of the pool. */
struct channel_load {
	const void *payload; /* NULL: lent */
	u32 length;
	u32 first;
};

/* IKC_OK or IKC_BAD_TAIL. To look at the tail costs a cache line's way: only for those who lend. */
int channel_reap_loans(struct channel *channel);
int channel_try_lend(struct channel *channel, const struct channel_load *load);
void channel_wait_for_room(struct channel *channel, bool waits);

/* Asks to be rung when there is room, and tries again. */
int channel_put_waiting(struct channel *channel, const struct channel_load *load);

/* It was rung, has not come yet, and will find this too. */
bool channel_peer_comes(const struct channel *channel);

CHANNEL_SHORT int channel_try_put(struct channel *channel, const struct channel_load *load)
{
	struct ikc_message message = { .length = load->length, .to_port = IKC_PACKET_COPIED };
	int result = unlikely(channel->lends) ? channel_reap_loans(channel) : IKC_OK;

	if (unlikely(result != IKC_OK))
		return result;
	if (unlikely(!load->payload))
		return channel_try_lend(channel, load);
	return ikc_send(&channel->sender, &message, load->payload);
}

CHANNEL_SHORT int channel_put_or_wait(struct channel *channel, const struct channel_load *load)
{
	int result = channel_try_put(channel, load);

	if (unlikely(result == IKC_FULL) && !channel->sender_waits)
		result = channel_put_waiting(channel, load);
	if (unlikely(result == IKC_FULL))
		channel_count(&channel_words(channel)->full);
	else if (unlikely(channel->sender_waits))
		channel_wait_for_room(channel, false);
	return result;
}

CHANNEL_SHORT void channel_sent(struct channel *channel, const struct channel_load *load)
{
	struct ikc_reference reference = { .offset = (u64)load->first * IKC_PAGE_SIZE, .length = load->length };
	struct ikc_message message = { .length = sizeof(reference), .to_port = IKC_PACKET_LENT };

	if (load->payload)
		message = (struct ikc_message) { .length = load->length, .to_port = IKC_PACKET_COPIED };
	channel_count(&channel_words(channel)->sent);
	channel_trace(channel, IKC_TRACE_SENT, &message,
		      load->payload ? load->payload : &reference);
}

CHANNEL_SHORT void channel_ring_if_asleep(struct channel *channel)
{
	if (ikc_receiver_sleeps(&channel->sender))
		channel_ring(channel);
}

CHANNEL_SHORT void channel_ring_for_answer(struct channel *channel, bool *owes)
{
	u32 waits = ikc_receiver_waits(&channel->sender);

	if (waits == IKC_RECEIVER_LOOKS)
		return;
	if (waits == IKC_RECEIVER_COMES_BY || channel_peer_comes(channel)) {
		WRITE_ONCE(*owes, true);
		return;
	}
	channel->rung = channel->sender.head;
	channel_ring(channel);
}

/* The peer is still to be rung. */
CHANNEL_SHORT int channel_put_locked(struct channel *channel, const struct channel_load *load)
{
	int result;

	if (unlikely(channel->dead))
		return -ENETRESET;
	if (unlikely(channel->ended))
		return -EPIPE;
	if (unlikely(!channel->opened))
		return -EAGAIN;
	result = channel_put_or_wait(channel, load);
	if (unlikely(result == IKC_FULL))
		return -EAGAIN;
	if (unlikely(result != IKC_OK))
		return -EPROTO;
	channel_sent(channel, load);
	return 0;
}

/* `owes`: it is an answer, and the peer may be rung later; NULL: it is none. */
CHANNEL_SHORT int channel_send_locked(struct channel *channel, const struct channel_load *load, bool *owes)
{
	int err = channel_put_locked(channel, load);

	if (err)
		return err;
	if (owes)
		channel_ring_for_answer(channel, owes);
	else
		channel_ring_if_asleep(channel);
	return 0;
}

CHANNEL_SHORT int channel_send_load(struct channel *channel, const struct channel_load *load, bool *owes)
{
	int err;

	channel_take_lock(&channel->send_lock);
	err = channel_send_locked(channel, load, owes);
	mutex_unlock(&channel->send_lock);
	return unlikely(err == -EPROTO) ? channel_fault(channel, IKC_RESET_BAD_TAIL) : err;
}

/*
 * As channel_send(). `owes`: of what the peer has asked for. If it comes by and looks, or was rung and has not come yet, it is
 * not rung, and *owes is set: call channel_ring_for_left() in good time.
 */
CHANNEL_SHORT int channel_send_short(struct channel *channel, const void *payload, u32 length, bool *owes)
{
	struct channel_load load = { .payload = payload, .length = length };

	if (unlikely(length > channel->terms.packet_size))
		return -EMSGSIZE;
	return channel_send_load(channel, &load, owes);
}

/* ---- in: under the receive lock ---- */

void channel_wait_for_message(struct channel *channel, bool waits);

/* Asks to be rung for the next message, and looks again. */
int channel_peek_waiting(struct channel *channel, struct channel_next *next);
int channel_find_lent(struct channel *channel, struct channel_next *next);

/* Packets of kinds that are not known here are for nobody: a ring of them at most. */
int channel_skip_unknown(struct channel *channel, struct channel_next *next);

CHANNEL_SHORT int channel_try_peek(struct channel *channel, struct channel_next *next)
{
	return ikc_peek(&channel->receiver, &next->message, next->buffer, next->capacity);
}

CHANNEL_SHORT int channel_peek_or_wait(struct channel *channel, struct channel_next *next)
{
	int result = channel_try_peek(channel, next);

	if (unlikely(result == IKC_EMPTY) && !channel->receiver_waits)
		result = channel_peek_waiting(channel, next);
	if (unlikely(channel->receiver_waits) && result != IKC_EMPTY)
		channel_wait_for_message(channel, false);
	return result;
}

/* Where the payload is. -EPROTO: nowhere that it can be. */
CHANNEL_SHORT int channel_find_payload(struct channel *channel, struct channel_next *next)
{
	next->lent = NULL;
	next->length = next->message.length;
	if (likely(next->message.to_port == IKC_PACKET_COPIED))
		return next->length > channel->terms.packet_size ? -EPROTO : 0;
	if (next->message.to_port != IKC_PACKET_LENT)
		return -EPROTO; /* behind a ring full of others */
	return channel_find_lent(channel, next);
}

CHANNEL_SHORT void channel_take_locked(struct channel *channel, const struct channel_next *next)
{
	ikc_take(&channel->receiver, &next->message);
	channel_count(&channel_words(channel)->received);
	channel_trace(channel, IKC_TRACE_TAKEN, &next->message, next->buffer);
	if (unlikely(ikc_sender_sleeps(&channel->receiver)))
		channel_ring(channel);
}

/* Of whatever length: of a kind that is not known here. */
CHANNEL_SHORT bool channel_is_unknown(int result, const struct channel_next *next)
{
	return (result == IKC_OK || result == IKC_TOO_LARGE) && next->message.to_port > IKC_PACKET_LENT;
}

CHANNEL_SHORT int channel_peek_locked(struct channel *channel, struct channel_next *next)
{
	bool ended = channel->ended; /* before the look at what was sent before that */
	int result;

	if (unlikely(channel->dead))
		return -ENETRESET;
	result = channel_peek_or_wait(channel, next);
	if (unlikely(channel_is_unknown(result, next)))
		result = channel_skip_unknown(channel, next);
	if (unlikely(result == IKC_EMPTY))
		return ended ? -EPIPE : -EAGAIN;
	return likely(result == IKC_OK) ? channel_find_payload(channel, next) : -EPROTO;
}

CHANNEL_SHORT int channel_receive_locked(struct channel *channel, struct channel_next *next, size_t room)
{
	int err = channel_peek_locked(channel, next);

	if (unlikely(err))
		return err;
	if (unlikely(next->length > room))
		return -EMSGSIZE;
	if (likely(!next->lent))
		channel_take_locked(channel, next);
	return 0;
}

CHANNEL_SHORT int channel_receive_short(struct channel *channel, struct channel_next *next, size_t room)
{
	int err;

	channel_take_lock(&channel->receive_lock);
	err = channel_receive_locked(channel, next, room);
	mutex_unlock(&channel->receive_lock);
	return unlikely(err == -EPROTO) ? channel_fault(channel, IKC_RESET_BAD_LENGTH) : err;
}

#endif
