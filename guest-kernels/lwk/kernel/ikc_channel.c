/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of channels. What the peer says of them is looked at where its control vector is served;
 * from there the CPU that serves a channel hears what there is to tell its user.
 */
#include <lwk/errno.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_pool.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/string.h>

static struct channel_listener *listeners;

static struct channel_listener *find_listener(uint16_t port)
{
	struct channel_listener *listener = listeners;

	while (listener && listener->port != port)
		listener = listener->next;
	return listener;
}

int channel_listen(struct channel_listener *listener)
{
	if (find_listener(listener->port))
		return -EEXIST;
	listener->next = listeners;
	listeners = listener;
	return 0;
}

/* ---- changes: under the peer's lock ---- */

/* Senders look at the state under the channel's lock. */
static void set_state(struct channel *channel, enum channel_state state)
{
	uint64_t flags = spin_lock(&channel->lock);

	__atomic_store_n(&channel->state, state, __ATOMIC_RELEASE);
	channel->quick = false;
	spin_unlock(&channel->lock, flags);
}

static void set_used(struct channel *channel, bool used)
{
	uint32_t bit = 1u << channel->index;
	uint32_t others = channel->peer->channels_used & ~bit;

	__atomic_store_n(&channel->peer->channels_used, used ? others | bit : others,
			 __ATOMIC_RELEASE);
}

/* The next life of the link may have to wait for its last channel. */
static void become_free(struct channel *channel)
{
	set_state(channel, CHANNEL_FREE);
	set_used(channel, false);
	if (!channel->peer->channels_used && !ikc_peer_is_served(channel->peer))
		ikc_data_look_soon();
}

static void begin(struct channel *channel, enum channel_state state,
		  const struct channel_calls *calls, void *owner, uint32_t packet_size)
{
	channel->calls = calls;
	channel->owner = owner;
	channel->packet_size = packet_size;
	channel->closing = false;
	channel->peer_closed = false;
	channel->call_again = false;
	channel->waits_for_pool = false;
	channel->told = false;
	channel->holds = false;
	channel->sender_waits = false;
	channel->attended = false;
	memset(channel->user, 0, sizeof(channel->user));
	set_state(channel, state);
	set_used(channel, true);
}

static uint32_t first_vector(uint32_t index)
{
	return IKC_VECTOR_CHANNEL + index % IKC_CHANNEL_VECTORS;
}

static void end_loans(struct channel *channel)
{
	uint64_t flags = spin_lock(&channel->lock);

	if (channel->lends)
		ikc_pool_end(&channel->loans, &channel->sender);
	channel->lends = false;
	spin_unlock(&channel->lock, flags);
}

void channels_end_loans(struct ikc_peer *peer)
{
	for (uint32_t i = 0; i < IKC_CHANNELS; i++)
		if (peer->ends[i].state == CHANNEL_FREE)
			end_loans(&peer->ends[i]);
}

void channels_begin(struct ikc_peer *peer)
{
	channels_end_loans(peer);
	ikc_channels_begin(&peer->channels);
}

static void lose(struct channel *channel)
{
	switch (channel->state) {
	case CHANNEL_ASKING:
		channel->refusal = IKC_REFUSAL_NONE;
		set_state(channel, CHANNEL_DENIED);
		break;
	case CHANNEL_OPEN:
		set_state(channel, CHANNEL_LOST);
		break;
	case CHANNEL_ACCEPTED:
	case CHANNEL_CLOSED:
		become_free(channel);
		return;
	default:
		return;
	}
	channel_look_soon(channel);
}

void channels_lose(struct ikc_peer *peer)
{
	for (uint32_t i = 0; i < IKC_CHANNELS; i++)
		lose(&peer->ends[i]);
}

/* ---- what the peer says: under its lock ---- */

/* Why it is not accepted; IKC_REFUSAL_NONE and *found: it is. */
static enum ikc_channel_refusal judge(const struct ikc_terms *terms, struct channel_listener **found)
{
	struct channel_listener *listener = find_listener(terms->to_port);

	if (!listener)
		return IKC_REFUSAL_PORT;
	if (listener->magic != terms->magic)
		return IKC_REFUSAL_MAGIC;
	if (listener->packet_size != terms->packet_size)
		return IKC_REFUSAL_PACKET_SIZE;
	*found = listener;
	return IKC_REFUSAL_NONE;
}

static void answer(struct channel *channel, const struct ikc_terms *terms)
{
	struct ikc_channels *channels = &channel->peer->channels;
	enum ikc_channel_refusal refusal;
	struct channel_listener *listener;

	refusal = judge(terms, &listener);
	if (refusal != IKC_REFUSAL_NONE) {
		ikc_channel_refuse(channels, channel->index, refusal);
		return;
	}
	channel->vector = first_vector(channel->index);
	ikc_channel_accept(channels, channel->index, (enum ikc_vector)channel->vector,
			   &channel->sender, &channel->receiver);
	begin(channel, CHANNEL_ACCEPTED, listener->calls, listener->owner, listener->packet_size);
}

static void come_open(struct channel *channel)
{
	set_state(channel, CHANNEL_OPEN);
	channel_look_soon(channel);
}

static void come_denied(struct channel *channel, uint32_t refusal)
{
	/* closed here meanwhile: nobody is to be told */
	channel->refusal = refusal;
	set_state(channel, CHANNEL_DENIED);
	channel_look_soon(channel);
}

static void come_gone(struct channel *channel)
{
	if (channel->state != CHANNEL_CLOSED)
		return; /* asked for and taken back before we looked */
	end_loans(channel);
	become_free(channel);
}

/* True: ring the peer's control vector. */
static bool look(struct channel *channel)
{
	struct ikc_channels *channels = &channel->peer->channels;
	struct ikc_terms terms;

	switch (ikc_channel_look(channels, channel->index, &terms)) {
	case IKC_CHANNEL_ASKED:
		answer(channel, &terms);
		return true;
	case IKC_CHANNEL_ACCEPTED:
		ikc_channel_confirm(channels, channel->index, &channel->sender, &channel->receiver);
		come_open(channel);
		return true;
	case IKC_CHANNEL_OPENED:
		come_open(channel);
		return false;
	case IKC_CHANNEL_DENIED:
		come_denied(channel, terms.magic);
		return true;
	case IKC_CHANNEL_ENDED:
		if (channel->state == CHANNEL_ACCEPTED) /* it came open, and was closed before we looked */
			set_state(channel, CHANNEL_OPEN);
		channel_stop(channel, &channel->peer_closed);
		channel_look_soon(channel);
		return false;
	case IKC_CHANNEL_GONE:
		come_gone(channel);
		return true;
	case IKC_CHANNEL_BROKEN:
		ikc_peer_fault(channel->peer, IKC_RESET_BAD_CHANNEL);
		return false;
	default:
		return false;
	}
}

bool channels_look(struct ikc_peer *peer)
{
	bool ring = false;

	if (!ikc_peer_is_served(peer) || !ikc_channels_changed(&peer->channels))
		return false;
	for (uint32_t i = 0; i < IKC_CHANNELS && ikc_peer_is_served(peer); i++)
		ring |= look(&peer->ends[i]);
	return ring;
}

/* ---- opening and closing ---- */

/* One that the peer refused is free in the region before its user has heard of it. */
static bool has_untold(const struct ikc_peer *peer)
{
	for (uint32_t i = 0; i < IKC_CHANNELS; i++)
		if (peer->ends[i].state == CHANNEL_DENIED)
			return true;
	return false;
}

/* Under the peer's lock. 0 and *channel, or why not. */
static int ask(struct ikc_peer *peer, const struct ikc_terms *terms,
	       const struct channel_calls *calls, void *owner, struct channel **channel)
{
	int index;

	if (!ikc_peer_is_served(peer))
		return -ENOTCONN;
	if (has_untold(peer))
		return -EAGAIN;
	/* which of our vectors is known with the index; the peer sees OPENING last */
	index = ikc_channel_open(&peer->channels, terms, IKC_VECTOR_CHANNEL);
	if (index < 0)
		return -EAGAIN;
	*channel = &peer->ends[index];
	(*channel)->vector = first_vector(index);
	ikc_store_ordered(&(*channel)->words->vector, (*channel)->vector);
	begin(*channel, CHANNEL_ASKING, calls, owner, terms->packet_size);
	return 0;
}

int channel_open(uint32_t peer_id, const struct ikc_terms *terms, const struct channel_calls *calls,
		 void *owner, struct channel **channel)
{
	struct ikc_peer *peer = ikc_peer_find(peer_id);
	uint64_t flags;
	int err;

	if (!peer)
		return -ENXIO;
	flags = spin_lock(&peer->lock);
	err = ask(peer, terms, calls, owner, channel);
	ikc_peer_unlock(peer, flags, !err, IKC_VECTOR_CONTROL);
	return err;
}

void channel_close(struct channel *channel)
{
	channel_stop(channel, &channel->closing);
	channel_look_soon(channel);
}

/* Under the peer's lock. True: ring its control vector. */
static bool close(struct channel *channel)
{
	bool asked = channel->state == CHANNEL_ASKING;

	set_state(channel, CHANNEL_CLOSED);
	ikc_channel_close(&channel->peer->channels, channel->index, asked ? NULL : &channel->sender);
	look(channel); /* the peer may have said its last word already */
	return true;
}

void channel_end(struct channel *channel)
{
	struct ikc_peer *peer = channel->peer;
	uint64_t flags = spin_lock(&peer->lock);
	bool ring = false;

	/* else it came open, or was denied or lost, meanwhile, and there will be another turn */
	if (channel->state == CHANNEL_ASKING || channel->state == CHANNEL_OPEN)
		ring = close(channel);
	ikc_peer_unlock(peer, flags, ring, IKC_VECTOR_CONTROL);
}

void channel_free(struct channel *channel)
{
	struct ikc_peer *peer = channel->peer;
	uint64_t flags = spin_lock(&peer->lock);

	become_free(channel);
	spin_unlock(&peer->lock, flags);
}

void channel_fault(struct channel *channel, enum ikc_reset_reason reason)
{
	struct ikc_peer *peer = channel->peer;
	uint64_t flags = spin_lock(&peer->lock);

	if (channel->state == CHANNEL_OPEN)
		ikc_peer_fault(peer, reason);
	spin_unlock(&peer->lock, flags);
}
