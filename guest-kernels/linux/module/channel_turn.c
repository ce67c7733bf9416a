// SPDX-License-Identifier: GPL-2.0-only
/* Turns at a channel. */
#include <linux/sched/signal.h>

#include "channel_turn.h"

/* For so long a message may have to wait for a worker that is away, before another one is woken: as long as a doorbell takes. */
#define CHANNEL_WATCH_NS (100 * NSEC_PER_USEC)

/* ---- the watch ---- */

/* Somebody looks for messages, or is rung for them. */
static bool channel_turns_are_safe(const struct channel_turns *turns)
{
	return atomic_read(&turns->looks) || READ_ONCE(turns->channel->receiver_waits);
}

/*
 * A worker has gone away with a message. If turns have ended meanwhile, they do so fast enough; else another worker is
 * woken, who asks to be rung.
 *
 * `watched` falls before the look whether all is safe, and who makes it unsafe raises `watched` afterwards: one of the two
 * sees the other.
 */
static enum hrtimer_restart channel_turns_watch(struct hrtimer *watch)
{
	struct channel_turns *turns = container_of(watch, struct channel_turns, watch);
	u32 taken = atomic_read(&turns->taken);

	atomic_set(&turns->watched, 0);
	smp_mb();
	if (channel_turns_are_safe(turns))
		return HRTIMER_NORESTART;
	if (taken == turns->seen) {
		wake_up_interruptible(&turns->channel->workers);
		return HRTIMER_NORESTART;
	}
	if (atomic_xchg(&turns->watched, 1))
		return HRTIMER_NORESTART;
	turns->seen = taken;
	hrtimer_forward_now(watch, ns_to_ktime(CHANNEL_WATCH_NS));
	return HRTIMER_RESTART;
}

/*
 * Nothing while a watch is under way: a timer costs more than a turn. Where nobody ever looks the peer rings for each
 * message anyway.
 */
static void channel_turns_leave(struct channel_turns *turns)
{
	u32 taken = atomic_inc_return(&turns->taken);

	if (!READ_ONCE(turns->spin_ns)) {
		if (channel_is_readable(turns->channel))
			wake_up_interruptible(&turns->channel->workers);
		return;
	}
	if (atomic_read(&turns->watched) || atomic_xchg(&turns->watched, 1))
		return;
	turns->seen = taken;
	hrtimer_start(&turns->watch, ns_to_ktime(CHANNEL_WATCH_NS), HRTIMER_MODE_REL);
}

/* ---- waiting ---- */

/* Who slept last is woken first: what he needs is still near. Who has not looked is there for when no other is. */
static void channel_turns_queue(struct channel_turns *turns, bool looked, struct wait_queue_entry *entry)
{
	wait_queue_head_t *workers = &turns->channel->workers;
	unsigned long flags;

	spin_lock_irqsave(&workers->lock, flags);
	if (looked)
		__add_wait_queue_exclusive(workers, entry);
	else
		__add_wait_queue_entry_tail_exclusive(workers, entry);
	spin_unlock_irqrestore(&workers->lock, flags);
}

/*
 * While another worker looks nobody need be rung; he sees to it when he stops. Who goes away for a signal may have been woken
 * for a message just then: another one gets it.
 */
static int channel_turns_sleep(struct channel_turns *turns, bool looked, int (*attempt)(void *), void *context)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	int err;

	channel_turns_queue(turns, looked, &entry);
	for (;;) {
		err = atomic_read(&turns->looks) ? -EAGAIN : attempt(context);
		if (err != -EAGAIN)
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		wait_woken(&entry, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	}
	remove_wait_queue(&turns->channel->workers, &entry);
	if (err == -ERESTARTSYS && ikc_receiver_ready(&turns->channel->receiver))
		wake_up_interruptible(&turns->channel->workers);
	return err;
}

/* Looks for as long as he may, unless another one does. */
static int channel_turns_look(struct channel_turns *turns, int (*attempt)(void *), void *context)
{
	struct channel *channel = turns->channel;
	u64 ns = READ_ONCE(turns->spin_ns);
	int err = -EAGAIN;

	if (!ns || atomic_cmpxchg(&turns->looks, 0, 1))
		return -EAGAIN;
	channel_be_silent(channel);
	if (channel_spin(channel, ns))
		err = attempt(context);
	atomic_set(&turns->looks, 0);
	smp_mb();
	return err;
}

int channel_turns_take(struct channel_turns *turns, bool looks, int (*attempt)(void *), void *context)
{
	int err = -EAGAIN;

	if (ikc_receiver_ready(&turns->channel->receiver))
		err = attempt(context);
	if (err == -EAGAIN && looks)
		err = channel_turns_look(turns, attempt, context);
	if (err == -EAGAIN)
		err = channel_turns_sleep(turns, looks, attempt, context);
	channel_turns_leave(turns);
	return err;
}

/* ---- life ---- */

void channel_turns_init(struct channel_turns *turns, struct channel *channel)
{
	turns->channel = channel;
	hrtimer_init(&turns->watch, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	turns->watch.function = channel_turns_watch;
}

void channel_turns_end(struct channel_turns *turns)
{
	hrtimer_cancel(&turns->watch);
}
