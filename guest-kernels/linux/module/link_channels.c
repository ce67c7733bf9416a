// SPDX-License-Identifier: GPL-2.0-only
/* The channels of a link: how each comes and goes (docs/ikc-protocol.md, "Channel states"). */
#include "link_ring.h"

/* ---- under link->lock ---- */

static enum ikc_vector channel_vector(const struct channel *channel)
{
	return IKC_VECTOR_CHANNEL + channel->vector;
}

/* It changes for those who hold one of its locks, and for those who only look. */
static void channel_lock(struct channel *channel)
{
	mutex_lock(&channel->receive_lock);
	mutex_lock(&channel->send_lock);
}

static void channel_unlock(struct channel *channel)
{
	mutex_unlock(&channel->send_lock);
	mutex_unlock(&channel->receive_lock);
	channel_wake(channel);
}

/* The link has nothing to do with it any more. */
static void link_drop_channel(struct link *link, u32 index)
{
	struct channel *channel = link->opened[index];

	link->opened[index] = NULL;
	vectors_remove(link->vectors, channel);
	if (channel->lends)
		lending_end(link->lending, &channel->loans, &channel->sender);
	channel_put(channel);
}

static struct channel *link_make_channel(struct link *link, u32 index, const struct ikc_terms *terms)
{
	struct channel *channel = channel_new(link, index, terms);

	if (channel)
		vectors_add(link->vectors, channel);
	return channel;
}

static void link_refuse_channel(struct link *link, u32 index, enum ikc_channel_refusal refusal)
{
	link_count(&link->ikc.own->counters.refused, 1);
	ikc_channel_refuse(&link->channels, index, refusal);
}

/* Nobody uses its rings any more. */
static void link_say_closed(const struct channel *channel)
{
	ikc_channel_close(&channel->link->channels, channel->index, channel->sender.slots ? &channel->sender : NULL);
}

static void link_accept_channel(struct link *link, u32 index, const struct ikc_terms *terms)
{
	struct channel *channel = link_make_channel(link, index, terms);

	if (!channel) {
		link_refuse_channel(link, index, IKC_REFUSAL_BUSY);
		return;
	}
	link->opened[index] = channel;
	ikc_channel_accept(&link->channels, index, channel_vector(channel), &channel->sender,
			   &channel->receiver);
	if (!listeners_deliver(link->listeners, channel)) {
		link_say_closed(channel);
		link_schedule_control(link->works); /* a peer that closed first says nothing new */
		channel_put(channel); /* the program's, of which there is none */
	}
}

static void link_answer_channel(struct link *link, u32 index, const struct ikc_terms *terms)
{
	enum ikc_channel_refusal refusal = listeners_judge(link->listeners, terms);

	if (!terms->packet_size || terms->packet_size > IKC_MESSAGE_MAX)
		refusal = IKC_REFUSAL_PACKET_SIZE;
	if (refusal)
		link_refuse_channel(link, index, refusal);
	else
		link_accept_channel(link, index, terms);
}

static void link_confirm_channel(struct link *link, struct channel *channel)
{
	channel_lock(channel);
	ikc_channel_confirm(&link->channels, channel->index, &channel->sender, &channel->receiver);
	WRITE_ONCE(channel->opened, true);
	channel_unlock(channel);
}

static void link_deny_channel(struct link *link, struct channel *channel, u32 refusal)
{
	channel_lock(channel);
	channel->refusal = refusal;
	smp_store_release(&channel->denied, true); /* with its reason, for whoever looks without a lock */
	channel_unlock(channel);
	link_drop_channel(link, channel->index);
}

static void link_say_opened(struct channel *channel)
{
	channel_lock(channel);
	WRITE_ONCE(channel->opened, true);
	channel_unlock(channel);
}

static void link_say_ended(struct channel *channel)
{
	channel_lock(channel);
	WRITE_ONCE(channel->ended, true);
	channel_unlock(channel);
}

/* Looks at one channel. Returns false if the link is reset because of it. */
static bool link_look_at_channel(struct link *link, u32 index)
{
	struct channel *channel = link->opened[index];
	struct ikc_terms terms;

	switch (ikc_channel_look(&link->channels, index, &terms)) {
	case IKC_CHANNEL_NO_NEWS:
		return true;
	case IKC_CHANNEL_ASKED:
		link_answer_channel(link, index, &terms);
		break;
	case IKC_CHANNEL_ACCEPTED:
		link_confirm_channel(link, channel);
		break;
	case IKC_CHANNEL_OPENED:
		link_say_opened(channel);
		break;
	case IKC_CHANNEL_DENIED:
		link_deny_channel(link, channel, terms.magic);
		break;
	case IKC_CHANNEL_ENDED:
		link_say_ended(channel);
		break;
	case IKC_CHANNEL_GONE:
		if (channel)
			link_drop_channel(link, index);
		break;
	default:
		link_fault(link, IKC_RESET_BAD_CHANNEL);
		return false;
	}
	return true;
}

void link_look_at_channels(struct link *link)
{
	u32 turn = link->channels.turn;
	u32 index;

	if (!ikc_channels_changed(&link->channels))
		return;
	for (index = 0; index < IKC_CHANNELS; index++)
		if (!link_look_at_channel(link, index))
			return;
	if (link->channels.turn != turn)
		link_ring(link, IKC_VECTOR_CONTROL);
}

u32 link_channel_news(const struct link *link)
{
	return ikc_load(&link->ikc.peer->channel_turn);
}

void link_look_for_news(struct link *link)
{
	mutex_lock(&link->lock);
	if (link_runs(link))
		link_look_at_channels(link);
	mutex_unlock(&link->lock);
}

void link_end_channels(struct link *link)
{
	struct channel *channel;
	u32 index;

	for (index = 0; index < IKC_CHANNELS; index++) {
		channel = link->opened[index];
		if (!channel)
			continue;
		channel_lock(channel);
		WRITE_ONCE(channel->dead, true);
		channel_unlock(channel);
		link_drop_channel(link, index);
	}
}

/* ---- for programs ---- */

static int link_open_channel_locked(struct link *link, const struct ikc_terms *terms, struct channel **opened)
{
	struct channel *channel;
	int index;

	if (!link_runs(link))
		return -ENOTCONN;
	channel = link_make_channel(link, 0, terms);
	if (!channel)
		return -ENOMEM;
	index = ikc_channel_open(&link->channels, terms, channel_vector(channel));
	if (index < 0) {
		vectors_remove(link->vectors, channel);
		kfree(channel);
		return -EBUSY;
	}
	channel->index = index;
	link->opened[index] = channel;
	link_ring(link, IKC_VECTOR_CONTROL);
	*opened = channel;
	return 0;
}

int link_open_channel(struct link *link, const struct ikc_terms *terms, struct channel **channel)
{
	int err;

	mutex_lock(&link->lock);
	err = link_open_channel_locked(link, terms, channel);
	mutex_unlock(&link->lock);
	return err;
}

/* Does the link still know it? */
static bool link_has_channel(const struct link *link, const struct channel *channel)
{
	return link->opened[channel->index] == channel;
}

/* Nobody uses its rings: the program that did is the one that closes it. */
void link_close_channel(struct channel *channel)
{
	struct link *link = channel->link;

	mutex_lock(&link->lock);
	if (link_has_channel(link, channel)) {
		link_say_closed(channel);
		/* a peer that closed first says nothing new */
		if (link_look_at_channel(link, channel->index))
			link_ring(link, IKC_VECTOR_CONTROL);
	}
	mutex_unlock(&link->lock);
	channel_put(channel);
}

void link_reap(struct link *link)
{
	u32 index;

	mutex_lock(&link->lock);
	for (index = 0; index < IKC_CHANNELS; index++)
		if (link->opened[index])
			channel_reap(link->opened[index]);
	mutex_unlock(&link->lock);
}

int link_serve_channel_on(struct channel *channel, u32 cpu)
{
	struct link *link = channel->link;
	int err = -ENETRESET;

	mutex_lock(&link->lock);
	if (link_has_channel(link, channel))
		err = vectors_serve_on(link->vectors, channel, cpu);
	mutex_unlock(&link->lock);
	return err;
}

void link_channel_fault(struct link *link, const struct channel *channel, enum ikc_reset_reason reason)
{
	mutex_lock(&link->lock);
	if (link_has_channel(link, channel) && link_runs(link))
		link_fault(link, reason);
	mutex_unlock(&link->lock);
}
