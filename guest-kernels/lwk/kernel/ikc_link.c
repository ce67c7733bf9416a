/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of each link, and its control ring. Nothing here waits for a peer, and nothing that a
 * peer writes is trusted.
 */
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_trace.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/work.h>

#define PEER_PAGE_ORDER 4
#define LOG_LINES_MAX 8 /* of one peer in one second */

_Static_assert(sizeof(struct ikc_peer) <= PAGE_SIZE << PEER_PAGE_ORDER, "PEER_PAGE_ORDER");

struct ikc_peer *ikc_peers[IKC_PARTITIONS_MAX];

bool ikc_peer_may_log(struct ikc_peer *peer)
{
	uint64_t now = time_ns();

	if (now - peer->log_window >= NS_PER_S) {
		if (peer->log_lines > LOG_LINES_MAX)
			log_warn("ikc: %u more lines about %s left out",
				 peer->log_lines - LOG_LINES_MAX, peer->name);
		peer->log_window = now;
		peer->log_lines = 0;
	}
	return ++peer->log_lines <= LOG_LINES_MAX;
}

void ikc_peer_unlock(struct ikc_peer *peer, uint64_t flags, bool ring, enum ikc_vector vector)
{
	if (ring)
		ikc_count(&peer->link.own->counters.doorbells, 1);
	spin_unlock(&peer->lock, flags);
	if (ring)
		ivshmem_ring(peer->id, vector);
}

/* A life of the link ended, and with it our flags in its rings, and its channels. */
static void began_anew(struct ikc_peer *peer)
{
	uint32_t reason = ikc_load(&peer->link.own->reset_reason);

	peer->receiver_waits = false;
	peer->sender_waits = false;
	channels_lose(peer);
	if (ikc_peer_may_log(peer))
		log_info("ikc: link to %s reset: %s", peer->name, ikc_reset_reason_word(reason));
}

void ikc_peer_fault(struct ikc_peer *peer, enum ikc_reset_reason reason)
{
	ikc_link_fault(&peer->link, reason);
	began_anew(peer);
	ikc_links_look_soon();
}

bool ikc_peer_send_control(struct ikc_peer *peer, enum ikc_control type, const void *payload,
			   uint32_t length)
{
	struct ikc_sender *sender = &peer->link.senders[IKC_RING_CONTROL];
	struct ikc_message message = { .length = length, .to_port = type };
	int result = ikc_send(sender, &message, payload);

	if (result == IKC_BAD_TAIL) {
		ikc_peer_fault(peer, IKC_RESET_BAD_TAIL);
		return false;
	}
	if (result != IKC_OK) {
		/* two kernels that wait for each other's control ring would never stop waiting */
		ikc_count(&peer->link.own->counters.full, 1);
		return false;
	}
	ikc_trace(peer->id, peer->link.generation, IKC_RING_CONTROL, IKC_TRACE_SENT, &message, payload);
	return ikc_receiver_sleeps(sender);
}

/* True if the peer is to be rung. */
static bool take_control(struct ikc_peer *peer, const struct ikc_message *message)
{
	struct ikc_refusal refusal;

	switch (message->to_port) {
	case IKC_CONTROL_PING:
		return ikc_peer_send_control(peer, IKC_CONTROL_PONG, peer->control,
					     message->length);
	case IKC_CONTROL_REFUSED:
		/* whatever its length: what it says is logged, and no more */
		memcpy(&refusal, peer->control, sizeof(refusal));
		if (ikc_peer_may_log(peer))
			log_info("ikc: nobody listens on port %u of %s", refusal.to_port,
				 peer->name);
		return false;
	default:
		return false;
	}
}

/* True if the peer is to be rung. */
static bool drain_control(struct ikc_peer *peer)
{
	struct ikc_receiver *receiver = &peer->link.receivers[IKC_RING_CONTROL];
	struct ikc_message message;
	bool ring = false;
	int taken, result;

	ikc_receiver_wait(receiver, true); /* always: nobody polls this ring */
	for (taken = 0; taken < IKC_CONTROL_SLOTS && peer->link.state == IKC_LINK_RUN; taken++) {
		result = ikc_receive(receiver, &message, peer->control, sizeof(peer->control));
		if (result == IKC_EMPTY)
			break;
		if (result != IKC_OK) {
			ikc_peer_fault(peer, IKC_RESET_BAD_LENGTH);
			return false;
		}
		ikc_trace(peer->id, peer->link.generation, IKC_RING_CONTROL, IKC_TRACE_TAKEN, &message,
			  peer->control);
		ring |= take_control(peer, &message);
	}
	if (taken == IKC_CONTROL_SLOTS)
		ikc_links_look_soon(); /* there may be more */
	if (taken)
		ikc_count(&peer->link.own->counters.interrupts, 1);
	return ring || (taken && ikc_sender_sleeps(receiver));
}

/* Takes the link as far as the peer lets it. True if anything changed. */
static bool settle(struct ikc_peer *peer)
{
	struct ikc_link *link = &peer->link;
	uint32_t generation = link->generation;

	if (!ikc_link_settle(link))
		return false;
	if (generation != link->generation)
		began_anew(peer);
	if (link->state == IKC_LINK_RUN && ikc_peer_may_log(peer))
		log_info("ikc: link to %s runs, generations %x and %x", peer->name,
			 link->generation, link->peer_generation);
	ikc_count(&link->own->counters.interrupts, 1);
	return true;
}

static void look(struct ikc_peer *peer)
{
	uint64_t flags = spin_lock(&peer->lock);
	bool changed = settle(peer);
	bool ring = changed;

	if (peer->link.state == IKC_LINK_RUN)
		ring |= drain_control(peer);
	ring |= channels_look(peer);
	if (!ikc_link_peer_lives(&peer->link))
		channels_end_loans(peer);
	ikc_peer_unlock(peer, flags, ring, IKC_VECTOR_CONTROL);
	if (changed)
		ikc_data_look_soon();
}

void ikc_links_look(void)
{
	for_each_ikc_peer(peer)
		look(peer);
}

static void look_work(struct work *work)
{
	(void)work;
	ikc_links_look();
	ikc_data_look_soon();
}

void ikc_links_look_soon(void)
{
	static struct work work = { .run = look_work };

	work_queue(0, &work);
}

void ikc_links_ring(void)
{
	for_each_ikc_peer(peer)
		ivshmem_ring(peer->id, IKC_VECTOR_CONTROL);
}

static int add_peer(uint32_t id)
{
	const struct ikc_identity *identity = &ikc_partition_at(&ikc_local.map, id)->identity;
	paddr_t pages = page_alloc(PEER_PAGE_ORDER, NODE_LOCAL, PAGE_ZERO);
	struct ikc_peer *peer;

	if (!pages)
		return -ENOMEM;
	peer = phys_to_virt(pages);
	peer->id = id;
	memcpy(peer->name, identity->name, sizeof(peer->name) - 1);
	ikc_link_init(&peer->link, &ikc_local.map, ikc_local.id, id, ikc_local.incarnation);
	ikc_channels_init(&peer->channels, &peer->link);
	for (uint32_t i = 0; i < IKC_CHANNELS; i++) {
		peer->ends[i].peer = peer;
		peer->ends[i].peer_id = id;
		peer->ends[i].index = i;
		peer->ends[i].words = &peer->link.own->channels[i];
		peer->ends[i].vector = IKC_VECTOR_CHANNEL;
	}
	ikc_peers[id] = peer;
	return 0;
}

int ikc_links_init(void)
{
	for (uint32_t id = 0; id < ikc_local.map.partition_count; id++) {
		int err;

		if (id == ikc_local.id)
			continue;
		err = add_peer(id);
		if (err)
			return err;
	}
	return 0;
}

const char *ikc_peer_name(uint32_t peer)
{
	return ikc_peers[peer]->name;
}
