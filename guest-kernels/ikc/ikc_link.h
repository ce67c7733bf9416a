/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One end of a link: the handshake that brings two kernels to RUN, and back there after either was
 * restarted (docs/ikc-protocol.md, "Link states"). The caller serialises all calls on one link.
 *
 * Why it converges: a generation is given up only in READY or RUN, which need the peer's word that
 * it adopted that very generation; without a restart each side can do so at most once.
 */
#ifndef IKC_LINK_H
#define IKC_LINK_H

#include "ikc_ring.h"

struct ikc_link {
	uint32_t own_id;
	uint32_t peer_id;
	struct ikc_half *own;
	const struct ikc_half *peer;
	const struct ikc_mailbox *peer_life;
	uint32_t incarnation; /* of this kernel, as it was told at boot */
	uint32_t generation;
	uint32_t peer_generation; /* adopted; 0: none */
	enum ikc_link_state state;
	struct ikc_sender senders[IKC_RINGS];
	struct ikc_receiver receivers[IKC_RINGS];
};

/* For the kernel log of either side. Any number has a word: it may come from a peer. */
static inline const char *ikc_reset_reason_word(uint32_t reason)
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
		[IKC_RESET_BAD_CHANNEL] = "the peer's words about a channel make no sense",
	};

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : "?";
}

static inline void ikc_link_publish(struct ikc_link *link)
{
	ikc_store_ordered(&link->own->lives,
			  (uint64_t)link->generation << 32 | link->peer_generation);
	ikc_store_ordered(&link->own->state, (uint32_t)link->state);
}

static inline uint32_t ikc_generation_after(uint32_t incarnation, uint32_t generation)
{
	uint32_t life = incarnation & 0xffff;
	uint32_t count = generation >> 16 == life ? (generation + 1) & 0xffff : 1;

	return life << 16 | (count ? count : 1);
}

/*
 * Both rings as at the birth of a pair of lives. By now `lives` says that the former pair is over, and
 * the tail is stored with release: a peer that finds it strange finds the reason too (ikc_link_fault).
 */
static inline void ikc_link_clear_rings(struct ikc_link *link)
{
	uint32_t kind;

	for (kind = 0; kind < IKC_RINGS; kind++) {
		struct ikc_cursor *own = &link->own->cursors[kind];

		link->senders[kind].generation = link->generation;
		link->senders[kind].head = 0;
		link->senders[kind].seen = 0 - link->senders[kind].slot_count;
		link->receivers[kind].generation = link->peer_generation;
		link->receivers[kind].tail = 0;
		ikc_store(&own->head, 0);
		ikc_store_release(&own->tail, 0);
		ikc_store(&own->receiver_waits, 0);
		ikc_store(&own->sender_waits, 0);
	}
}

/*
 * What this end says of its channels is over with the pair of lives (ikc_channel.h); with release, as the tails:
 * a peer that still has one open finds the reason too.
 */
static inline void ikc_link_free_channels(struct ikc_link *link)
{
	uint32_t i;

	for (i = 0; i < IKC_CHANNELS; i++)
		ikc_store_release(&link->own->channels[i].state, (uint32_t)IKC_CHANNEL_FREE);
}

/* Gives up this life of the link, whatever its state; what was not taken yet is lost on both sides. */
static inline void ikc_link_reset(struct ikc_link *link, enum ikc_reset_reason reason)
{
	struct ikc_counters *counters = &link->own->counters;

	link->state = IKC_LINK_RESET;
	ikc_store_ordered(&link->own->state, (uint32_t)IKC_LINK_RESET);
	link->generation = ikc_generation_after(link->incarnation, link->generation);
	link->peer_generation = 0;
	ikc_store(&link->own->reset_reason, (uint32_t)reason);
	ikc_store(&counters->resets, ikc_load(&counters->resets) + 1);
	ikc_link_publish(link);
}

/*
 * Sets up this kernel's end towards `peer_id`; both ids are below the map's count. A kernel that sets up again in one life (a module loaded twice) gets a new generation.
 */
static inline void ikc_link_init(struct ikc_link *link, const struct ikc_map *map, uint32_t own_id,
				 uint32_t peer_id, uint32_t incarnation)
{
	uint32_t kind;

	link->own_id = own_id;
	link->peer_id = peer_id;
	link->own = ikc_half_at(map, own_id, peer_id);
	link->peer = ikc_half_at(map, peer_id, own_id);
	link->peer_life = &ikc_partition_at(map, peer_id)->mailbox;
	link->incarnation = incarnation;
	link->generation = (uint32_t)(ikc_load(&link->own->lives) >> 32);
	for (kind = 0; kind < IKC_RINGS; kind++) {
		bool control = kind == IKC_RING_CONTROL;
		uint32_t count = control ? IKC_CONTROL_SLOTS : IKC_DATA_SLOTS;

		link->senders[kind].slots = control ? link->own->control : link->own->data;
		link->senders[kind].own = &link->own->cursors[kind];
		link->senders[kind].peer = &link->peer->cursors[kind];
		link->senders[kind].slot_count = count;
		link->receivers[kind].slots = control ? link->peer->control : link->peer->data;
		link->receivers[kind].own = &link->own->cursors[kind];
		link->receivers[kind].peer = &link->peer->cursors[kind];
		link->receivers[kind].slot_count = count;
	}
	ikc_link_reset(link, IKC_RESET_BOOT);
}

/* The peer's handshake word, or 0 when it is dead or has not written in its present life. */
static inline uint64_t ikc_link_peer_lives(const struct ikc_link *link)
{
	uint64_t lives = ikc_load_acquire(&link->peer->lives);
	uint32_t incarnation = ikc_load_acquire(&link->peer_life->incarnation);

	if (!ikc_load_acquire(&link->peer_life->alive) || lives >> 48 != (incarnation & 0xffff))
		return 0;
	return lives;
}

static inline void ikc_link_adopt(struct ikc_link *link, uint32_t peer_generation)
{
	link->peer_generation = peer_generation;
	link->state = peer_generation ? IKC_LINK_INIT : IKC_LINK_RESET;
	ikc_link_clear_rings(link);
	ikc_link_free_channels(link);
	ikc_link_publish(link);
}

static inline bool ikc_link_step_connected(struct ikc_link *link, uint32_t generation, uint32_t adopted)
{
	uint32_t peer_state = ikc_load_acquire(&link->peer->state);

	if (generation != link->peer_generation) {
		ikc_link_reset(link, generation ? IKC_RESET_PEER_RESET : IKC_RESET_PEER_DEAD);
		return true;
	}
	if (adopted != link->generation) {
		ikc_link_reset(link, IKC_RESET_BAD_STATE);
		return true;
	}
	if (link->state == IKC_LINK_READY &&
	    (peer_state == IKC_LINK_READY || peer_state == IKC_LINK_RUN)) {
		link->state = IKC_LINK_RUN;
		ikc_link_publish(link);
		return true;
	}
	return false;
}

/*
 * Looks at the peer and goes at most one state on. Returns true if something changed.
 */
static inline bool ikc_link_step(struct ikc_link *link)
{
	uint64_t lives = ikc_link_peer_lives(link);
	uint32_t generation = (uint32_t)(lives >> 32);
	uint32_t adopted = (uint32_t)lives;

	if (link->state == IKC_LINK_READY || link->state == IKC_LINK_RUN)
		return ikc_link_step_connected(link, generation, adopted);
	if (generation != link->peer_generation) {
		ikc_link_adopt(link, generation);
		return true;
	}
	if (link->state == IKC_LINK_INIT && adopted == link->generation) {
		link->state = IKC_LINK_READY;
		ikc_link_publish(link);
		return true;
	}
	return false;
}

/*
 * Steps until nothing changes: what to do whenever this kernel was rung. Returns true if anything changed:
 * ring the peer's control vector. While the peer's words stand still, four steps are enough; if they do
 * not, its next doorbell comes, and a peer that changes them for ever cannot keep us here.
 */
static inline bool ikc_link_settle(struct ikc_link *link)
{
	uint32_t steps = 0;

	while (steps < 4 && ikc_link_step(link))
		steps++;
	return steps > 0;
}

/*
 * In RUN, after a ring gave IKC_BAD_TAIL or IKC_BAD_LENGTH: gives up this life. A peer that was only
 * restarted is not blamed for it.
 */
static inline void ikc_link_fault(struct ikc_link *link, enum ikc_reset_reason reason)
{
	if (!ikc_link_step(link))
		ikc_link_reset(link, reason);
}

#endif
