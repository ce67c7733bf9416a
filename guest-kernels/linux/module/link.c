// SPDX-License-Identifier: GPL-2.0-only
/* The life of a link: how it comes up and goes down. */
#include <linux/slab.h>

#include "link_ring.h"

void link_ring(struct link *link, enum ikc_vector vector)
{
	link_count(&link->ikc.own->counters.doorbells, 1);
	region_ring(link->region, link->ikc.peer_id, vector);
}

static void link_say_running(const struct link *link)
{
	u32 ours = link->ikc.generation, theirs = link->ikc.peer_generation;

	dev_info_ratelimited(&link->region->pdev->dev, "link to %s: RUN, generations %u.%u and %u.%u\n",
			     link->name, ours >> 16, ours & 0xffff, theirs >> 16, theirs & 0xffff);
}

static void link_came_up(struct link *link)
{
	u32 kind;

	ikc_channels_begin(&link->channels);
	for (kind = 0; kind < IKC_RINGS; kind++)
		ikc_receiver_wait(&link->ikc.receivers[kind], true);
	link_say_running(link);
	link_schedule_data(link->works);
	wake_up_interruptible_all(&link->writable);
}

static void link_went_down(struct link *link)
{
	dev_info_ratelimited(&link->region->pdev->dev, "link to %s: RESET, %s\n", link->name,
			     ikc_reset_reason_word(ikc_load(&link->ikc.own->reset_reason)));
	kfree(link->held);
	WRITE_ONCE(link->held, NULL);
	memset(link->waits, 0, sizeof(link->waits));
	link_fail_pings(link);
	link_end_channels(link);
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

void link_settle(struct link *link)
{
	bool ran = link_runs(link);
	u32 generation = link->ikc.generation;

	if (!ikc_link_settle(&link->ikc))
		return;
	link_count(&link->ikc.own->counters.interrupts, 1);
	link_follow(link, ran, generation);
}

void link_fault(struct link *link, enum ikc_reset_reason reason)
{
	u32 generation = link->ikc.generation;

	ikc_link_fault(&link->ikc, reason);
	link_follow(link, true, generation);
	link_schedule_control(link->works);
}

void link_give_up(struct link *link)
{
	bool ran = link_runs(link);
	u32 generation = link->ikc.generation;

	ikc_link_reset(&link->ikc, IKC_RESET_LOCAL);
	link_follow(link, ran, generation);
}

void link_init(struct link *link, struct link_shared *shared, u32 peer)
{
	const struct region *region = shared->region;

	link->region = region;
	link->endpoints = &shared->endpoints;
	link->listeners = &shared->listeners;
	link->lending = &shared->lending;
	link->trace = &shared->trace;
	link->vectors = &shared->vectors;
	link->works = &shared->works;
	init_waitqueue_head(&link->writable);
	mutex_init(&link->lock);
	INIT_LIST_HEAD(&link->pings);
	region_name(region, peer, link->name);
	ikc_link_init(&link->ikc, &region->map, region->own_id, peer, region->incarnation);
	ikc_channels_init(&link->channels, &link->ikc);
}

void link_wake(struct link *link)
{
	u32 index;

	mutex_lock(&link->lock);
	wake_up_interruptible_all(&link->writable);
	for (index = 0; index < IKC_CHANNELS; index++)
		if (link->opened[index])
			channel_wake(link->opened[index]);
	mutex_unlock(&link->lock);
}

void link_stop(struct link *link)
{
	mutex_lock(&link->lock);
	link->stopped = true;
	link_give_up(link);
	mutex_unlock(&link->lock);
}
