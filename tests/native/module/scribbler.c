/* SPDX-License-Identifier: Apache-2.0 */
#include "scribbler.h"

#include <sched.h>

#include "check.h"
#include "ikc_ring.h"

enum { VICTIM, SELF };

/* All accesses are relaxed atomics: a peer's words change at any time. */
#define put(word, value) ikc_store((word), (__typeof__(*(word)))(value))

struct view {
	struct ikc_map map;
	struct ikc_half *own, *victim;
};

static struct view view;

static u32 chance(struct scribbler *scribbler, u32 bound)
{
	return (u32)(random_next(&scribbler->random) >> 32) % bound;
}

static u64 plausible_number(struct scribbler *scribbler)
{
	const u64 numbers[] = {
		0, 1, 2, 3, UINT32_MAX, UINT64_MAX, IKC_MESSAGE_MAX, IKC_MESSAGE_MAX + 1, IKC_POOL_SIZE,
		chance(scribbler, 5000), random_next(&scribbler->random),
	};

	return numbers[chance(scribbler, sizeof(numbers) / sizeof(numbers[0]))];
}

/* ---- the link ---- */

static u32 victim_generation(void)
{
	return (u32)(ikc_load_acquire(&view.victim->lives) >> 32);
}

static void take_up_link(struct scribbler *scribbler)
{
	u32 incarnation = ikc_load(&ikc_partition_at(&view.map, SELF)->mailbox.incarnation);

	if (scribbler->generation >> 16 != incarnation || !chance(scribbler, 64))
		scribbler->generation = incarnation << 16 | (1 + chance(scribbler, 0xffff));
	for (u32 i = 0; i < IKC_CHANNELS; i++)
		if (chance(scribbler, 100))
			put(&view.own->channels[i].state, IKC_CHANNEL_FREE);
	for (u32 kind = 0; kind < IKC_RINGS; kind++)
		put(&view.own->cursors[kind].tail, 0);
	put(&view.own->lives, (u64)scribbler->generation << 32 | victim_generation());
	put(&view.own->state, IKC_LINK_READY + chance(scribbler, 2));
	pci_ring(&machine.ends[VICTIM].pdev, IKC_VECTOR_CONTROL);
}

static bool link_seems_up(const struct scribbler *scribbler)
{
	return ikc_load(&view.victim->state) == IKC_LINK_RUN &&
	       (u32)ikc_load(&view.victim->lives) == scribbler->generation;
}

static u32 plausible_length(struct scribbler *scribbler, u32 most)
{
	return chance(scribbler, 100) ? chance(scribbler, most + 1) : (u32)plausible_number(scribbler);
}

static void forge_slot(struct scribbler *scribbler, struct ikc_slot *slot, u32 index)
{
	for (u32 i = 0; i < IKC_SLOT_DATA / sizeof(u64); i++)
		put((u64 *)slot->data + i, plausible_number(scribbler));
	put(&slot->from_port, chance(scribbler, 3));
	put(&slot->stamp, ikc_stamp(scribbler->generation, index));
}

static void forge_message(struct scribbler *scribbler)
{
	bool control = chance(scribbler, 2);
	u32 index = ikc_load(&view.victim->cursors[control ? IKC_RING_CONTROL : IKC_RING_DATA].tail);
	u32 slots = 1 + chance(scribbler, 4);
	u32 length = plausible_length(scribbler, slots * IKC_SLOT_DATA);

	while (slots--) {
		u32 at = index + slots;
		struct ikc_slot *slot = control ? &view.own->control[at % IKC_CONTROL_SLOTS]
						: &view.own->data[at % IKC_DATA_SLOTS];

		put(&slot->to_port, control ? chance(scribbler, 5) : scribbler->port + chance(scribbler, 2));
		put(&slot->length, length);
		forge_slot(scribbler, slot, at);
	}
}

/* Takes what was sent, or more, or less. */
static void move_tail(struct scribbler *scribbler, struct ikc_cursor *own, const struct ikc_cursor *victim)
{
	u32 head = ikc_load(&victim->head);

	put(&own->tail, chance(scribbler, 50) ? head : head + chance(scribbler, 3) - 1);
	put(&own->receiver_waits, chance(scribbler, 2));
	put(&own->sender_waits, chance(scribbler, 2));
}

/* ---- channels ---- */

static void say_channel(struct scribbler *scribbler, u32 index, u32 state, u32 life)
{
	struct ikc_channel *own = &view.own->channels[index];

	put(&own->start, 0);
	put(&own->vector, IKC_VECTOR_CHANNEL + chance(scribbler, 5));
	put(&own->to_port, scribbler->channel_port + !chance(scribbler, 8));
	put(&own->magic, scribbler->magic);
	put(&own->packet_size, scribbler->packet_size);
	put(&own->refusal, plausible_number(scribbler));
	put(&own->life, life);
	put(&own->state, state);
	put(&view.own->channel_turn, ikc_load(&view.own->channel_turn) + 1);
}

/* As the protocol asks, for the most part. */
static void answer_channel(struct scribbler *scribbler, u32 index)
{
	const struct ikc_channel *victim = &view.victim->channels[index];
	u32 state = ikc_load_acquire(&victim->state), life = ikc_load(&victim->life);
	bool ours = index >= IKC_CHANNELS / 2; /* it has the higher number */
	u32 answer = state;

	if (!chance(scribbler, 300))
		answer = chance(scribbler, 6);
	else if (ours && state == IKC_CHANNEL_FREE)
		answer = IKC_CHANNEL_OPENING;
	else if (ours && state >= IKC_CHANNEL_REFUSED)
		answer = IKC_CHANNEL_FREE;
	else if (!ours && state == IKC_CHANNEL_OPENING)
		answer = chance(scribbler, 8) ? IKC_CHANNEL_OPEN : IKC_CHANNEL_REFUSED;
	else if (state == IKC_CHANNEL_OPEN && !chance(scribbler, 30))
		answer = IKC_CHANNEL_CLOSED;
	say_channel(scribbler, index, answer, life + !chance(scribbler, 1000));
}

static void forge_packet(struct scribbler *scribbler, u32 index)
{
	u32 at = ikc_load(&view.victim->channel_cursors[index].tail);
	struct ikc_slot *slot = &view.own->channel_slots[index][at % IKC_CHANNEL_SLOTS];
	struct ikc_reference reference = {
		.offset = chance(scribbler, 100) ? chance(scribbler, IKC_POOL_SIZE - 8192) : plausible_number(scribbler),
		.length = plausible_length(scribbler, 8192),
	};
	u32 kind = chance(scribbler, 2) ? IKC_PACKET_COPIED : IKC_PACKET_LENT + !chance(scribbler, 30);

	put(&slot->to_port, kind);
	put((u64 *)slot->data, reference.offset);
	put((u32 *)slot->data + 2, reference.length);
	put(&slot->length, kind == IKC_PACKET_LENT ? sizeof(reference) : plausible_length(scribbler, IKC_SLOT_DATA));
	put(&slot->stamp, ikc_stamp(scribbler->generation, at));
}

static void tend_channel(struct scribbler *scribbler)
{
	u32 index = chance(scribbler, 4) + (chance(scribbler, 2) ? IKC_CHANNELS / 2 : 0);

	switch (chance(scribbler, 4)) {
	case 0:
		forge_packet(scribbler, index);
		break;
	case 1:
		move_tail(scribbler, &view.own->channel_cursors[index], &view.victim->channel_cursors[index]);
		break;
	default:
		answer_channel(scribbler, index);
	}
}

/* ---- anything ---- */

static void scribble_in(struct scribbler *scribbler, void *start, size_t size)
{
	u64 *words = start;

	put(&words[random_next(&scribbler->random) % (size / sizeof(u64))], plausible_number(scribbler));
}

static void scribble_on_partition(struct scribbler *scribbler, u32 index)
{
	struct ikc_partition *partition = ikc_partition_at(&view.map, index);

	scribble_in(scribbler, &partition->status,
		    sizeof(*partition) - offsetof(struct ikc_partition, status));
}

static void scribble(struct scribbler *scribbler)
{
	bool other = scribbler->everywhere && chance(scribbler, 2);

	if (chance(scribbler, 2))
		scribble_in(scribbler, other ? view.victim : view.own, sizeof(*view.own));
	else
		scribble_on_partition(scribbler, other ? VICTIM : SELF);
}

static void tread(struct scribbler *scribbler)
{
	struct pci_dev *victim = &machine.ends[VICTIM].pdev;
	u32 kind = chance(scribbler, 2);

	switch (chance(scribbler, 8)) {
	case 0:
		pci_ring(victim, chance(scribbler, IKC_VECTORS));
		break;
	case 1:
		forge_message(scribbler);
		break;
	case 2:
		move_tail(scribbler, &view.own->cursors[kind], &view.victim->cursors[kind]);
		break;
	case 3:
		if (!chance(scribbler, 8))
			scribble(scribbler);
		break;
	default:
		tend_channel(scribbler);
	}
	scribbler->reasons |= BIT_ULL(ikc_load(&view.victim->reset_reason) % 64);
}

/* The others have their turn after each step: what came of it is seen. */
static void scribbler_run(void *argument)
{
	struct scribbler *scribbler = argument;

	for (u32 i = 0; i < scribbler->steps; i++) {
		if (link_seems_up(scribbler))
			tread(scribbler);
		else
			take_up_link(scribbler);
		sched_yield();
	}
}

void scribbler_start(struct scribbler *scribbler)
{
	CHECK(!ikc_map_region(&view.map, machine.memory.at[SELF], machine.memory.size));
	view.own = ikc_half_at(&view.map, SELF, VICTIM);
	view.victim = ikc_half_at(&view.map, VICTIM, SELF);
	task_start(&scribbler->task, scribbler_run, scribbler);
}

void scribbler_join(struct scribbler *scribbler)
{
	task_join(&scribbler->task, "the scribbler");
}
