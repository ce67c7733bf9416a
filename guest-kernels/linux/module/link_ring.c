// SPDX-License-Identifier: GPL-2.0-only
/* The two rings of a link: messages out, messages in. */
#include "link_ring.h"

static enum ikc_vector link_vector(enum ikc_ring_kind kind)
{
	return kind == IKC_RING_DATA ? IKC_VECTOR_DATA : IKC_VECTOR_CONTROL;
}

static void link_trace(struct link *link, enum ikc_ring_kind kind, enum ikc_trace_direction direction,
		       const struct ikc_message *message, const void *payload)
{
	struct ikc_passage passage = {
		.generation = link->ikc.generation,
		.peer = link->ikc.peer_id,
		.ring = kind,
		.direction = direction,
	};

	trace_message(link->trace, passage, message, payload);
}

int link_publish(struct link *link, enum ikc_ring_kind kind, const struct ikc_message *message,
		 const void *payload)
{
	struct ikc_sender *sender = &link->ikc.senders[kind];
	struct ikc_counters *counters = &link->ikc.own->counters;
	int result = ikc_send(sender, message, payload);

	switch (result) {
	case IKC_OK:
		break;
	case IKC_FULL:
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
	link_trace(link, kind, IKC_TRACE_SENT, message, payload);
	if (ikc_receiver_sleeps(sender))
		link_ring(link, link_vector(kind));
	return 0;
}

void link_wait_for_room(struct link *link, enum ikc_ring_kind kind)
{
	link->waits[kind] = true;
	ikc_sender_wait(&link->ikc.senders[kind], true);
}

void link_wake_waiting(struct link *link, enum ikc_ring_kind kind)
{
	struct ikc_sender *sender = &link->ikc.senders[kind];

	if (!link->waits[kind] || ikc_sender_room(sender) == 0)
		return;
	link->waits[kind] = false;
	ikc_sender_wait(sender, false);
	wake_up_interruptible_all(&link->writable);
}

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
	link_trace(link, kind, IKC_TRACE_TAKEN, message, link->buffer);
	if (ikc_sender_sleeps(receiver))
		link_ring(link, link_vector(kind));
	return true;
}

bool link_drain(struct link *link, enum ikc_ring_kind kind, u32 most,
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
