// SPDX-License-Identifier: GPL-2.0-only
/* Turns at a channel. */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "channel_passing.h"
#include "channel_turn.h"
#include "waiting.h"

/* ---- the watch ---- */

/*
 * There was time for the peer to come by. `owes` falls before the look at what is left, and who sends raises it afterwards: what
 * is not seen here is owed still.
 */
static __always_inline void channel_turns_settle(struct channel_turns *turns)
{
	if (!READ_ONCE(turns->owes))
		return;
	smp_store_mb(turns->owes, false);
	channel_ring_for_left(turns->channel);
}

/* Somebody looks for messages, or is rung for them. */
static bool channel_turns_are_safe(const struct channel_turns *turns)
{
	return atomic_read(&turns->looks) || READ_ONCE(turns->channel->receiver_waits);
}

/*
 * A worker has gone away with a message. The peer is rung for what it has not taken. If messages were taken meanwhile, turns end
 * fast enough, and the watch goes on; else another worker is woken, who asks to be rung.
 *
 * `watched` falls before the look whether all is safe and what is owed, and who makes it unsafe or goes away owing raises
 * `watched` afterwards: one of the two sees the other.
 */
static void channel_turns_watch(struct timer_list *watch)
{
	struct channel_turns *turns = from_timer(turns, watch, watch);
	u64 taken = channel_taken(turns->channel);

	channel_turns_settle(turns);
	if (taken != turns->seen) {
		turns->seen = taken;
		mod_timer(watch, jiffies + 1);
		return;
	}
	atomic_set(&turns->watched, 0);
	smp_mb();
	channel_turns_settle(turns);
	if (!channel_turns_are_safe(turns)) {
		WRITE_ONCE(turns->asks, true);
		wake_up_interruptible(&turns->channel->workers);
	}
}

static noinline void channel_turns_begin_watch(struct channel_turns *turns)
{
	if (atomic_xchg(&turns->watched, 1))
		return;
	turns->seen = channel_taken(turns->channel);
	mod_timer(&turns->watch, jiffies + 1);
}

/* Where nobody ever looks the peer rings for each message anyway. */
static __always_inline void channel_turns_leave(struct channel_turns *turns)
{
	if (READ_ONCE(turns->spin_ns)) {
		if (unlikely(!atomic_read(&turns->watched)))
			channel_turns_begin_watch(turns);
	} else if (channel_is_readable(turns->channel)) {
		wake_up_interruptible(&turns->channel->workers);
	}
}

/* ---- what a worker brings, and what it takes along: in line, for every call of every program passes here ---- */

#define TURN_WORDS (IKC_TURN_LENGTH / sizeof(u64))
#define TURN_FIRST_WORDS 6 /* of a slot, in its first cache line: many messages have no more */

/* All words, however few are sent: what is given back is none of the kernel's stack. */
static __always_inline int channel_turns_fetch(const struct ikc_turn __user *from, struct ikc_turn *turn)
{
	unsigned int i;

	if (!user_access_begin(from, sizeof(*from)))
		return -EFAULT;
	unsafe_get_user(turn->length, &from->length, fault);
	unsafe_get_user(turn->looks, &from->looks, fault);
#pragma GCC unroll 14
	for (i = 0; i < TURN_WORDS; i++)
		unsafe_get_user(turn->message[i], &from->message[i], fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Behind a message that is shorter stands what was brought, or what was there. */
static __always_inline int channel_turns_give(struct ikc_turn __user *to, const struct ikc_turn *turn)
{
	unsigned int i;

	if (!user_access_begin(to, sizeof(*to)))
		return -EFAULT;
#pragma GCC unroll 6
	for (i = 0; i < TURN_FIRST_WORDS; i++)
		unsafe_put_user(turn->message[i], &to->message[i], fault);
	if (unlikely(turn->length > TURN_FIRST_WORDS * sizeof(u64))) {
#pragma GCC unroll 8
		for (; i < TURN_WORDS; i++)
			unsafe_put_user(turn->message[i], &to->message[i], fault);
	}
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* ---- signals ---- */

static_assert(_NSIG_WORDS == 1, "a set is a word");

/* Those that are pending for this thread or its process, of the ones that end a turn. */
static __always_inline u64 channel_turns_signals(const struct channel_turns *turns)
{
	return turns->signals &
	       (READ_ONCE(current->pending.signal.sig[0]) | READ_ONCE(current->signal->shared_pending.signal.sig[0]));
}

/* Who sleeps is woken for them; they stay pending, because they are blocked again before he leaves the kernel. */
static void channel_turns_unblock(const struct channel_turns *turns, sigset_t *blocked)
{
	sigset_t set = { { turns->signals } };

	sigprocmask(SIG_UNBLOCK, &set, blocked);
}

long channel_turns_await_signals(struct channel_turns *turns, const u64 __user *argument)
{
	return get_user(turns->signals, argument);
}

/* What SIGCONT undoes as long as it is pending, as any SIGSTOP. To send one would undo a SIGCONT that is. */
long channel_turns_stop(const struct channel_turns *turns)
{
	struct sighand_struct *own = rcu_dereference_protected(current->sighand, true); /* as long as we run */
	long err = 0;

	spin_lock_irq(&own->siglock);
	if (channel_turns_signals(turns) & sigmask(SIGCONT)) {
		err = -EINTR;
	} else {
		sigaddset(&current->pending.signal, SIGSTOP);
		set_thread_flag(TIF_SIGPENDING);
	}
	spin_unlock_irq(&own->siglock);
	return err;
}

/* ---- sending ---- */

struct turn_sending {
	struct channel_turns *turns;
	const struct ikc_turn *turn;
};

static int channel_turns_try_send(void *context)
{
	struct turn_sending *sending = context;

	if (READ_ONCE(*sending->turns->stopping))
		return -ENODEV;
	return channel_send(sending->turns->channel, sending->turn->message, sending->turn->length);
}

static noinline int channel_turns_send_slowly(struct channel_turns *turns, const struct ikc_turn *turn)
{
	struct turn_sending sending = { turns, turn };
	long left = MAX_SCHEDULE_TIMEOUT;

	return waiting_for(&turns->channel->writable, channel_turns_try_send, &sending, &left);
}

/* Who looks for the next message meanwhile gives the peer the time to come by for this one. */
static __always_inline int channel_turns_send(struct channel_turns *turns, const struct ikc_turn *turn, bool wait)
{
	bool *owes = wait && turn->looks && READ_ONCE(turns->spin_ns) ? &turns->owes : NULL;
	int err = channel_send_short(turns->channel, turn->message, turn->length, owes);

	return unlikely(err == -EAGAIN) && wait ? channel_turns_send_slowly(turns, turn) : err;
}

/* ---- taking ---- */

static __always_inline int channel_turns_try(struct channel_turns *turns, struct ikc_turn *turn)
{
	struct channel_next next = { .buffer = (u8 *)turn->message, .capacity = sizeof(turn->message) };
	int err;

	if (unlikely(READ_ONCE(*turns->stopping)))
		return -ENODEV;
	err = channel_receive_short(turns->channel, &next, sizeof(turn->message));
	if (unlikely(!err && next.lent))
		err = -EMSGSIZE;
	turn->length = next.length;
	return err;
}

static noinline int channel_turns_try_seldom(struct channel_turns *turns, struct ikc_turn *turn)
{
	return channel_turns_try(turns, turn);
}

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
 * Who takes nothing asks to be rung only if nobody looks any more: he did so last, or nobody ever does, or the watch has found
 * out. Else the one who looks is away for a moment, and it would be rung for all that comes before he is back.
 */
static int channel_turns_try_sleepily(struct channel_turns *turns, bool asks, struct ikc_turn *turn)
{
	if (atomic_read(&turns->looks))
		return -EAGAIN;
	if (READ_ONCE(turns->asks)) {
		WRITE_ONCE(turns->asks, false);
		asks = true;
	}
	if (!asks && READ_ONCE(turns->spin_ns) && !channel_has_something(turns->channel))
		return -EAGAIN;
	return channel_turns_try_seldom(turns, turn);
}

/*
 * While another worker looks nobody need be rung; he sees to it when he stops. Who goes away for a signal may have been woken
 * for a message just then: another one gets it.
 */
static noinline int channel_turns_sleep(struct channel_turns *turns, bool looked, struct ikc_turn *turn)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	sigset_t blocked;
	int err;

	channel_turns_unblock(turns, &blocked);
	if (!atomic_read(&turns->looks)) /* else he who does sees to it when he stops */
		channel_turns_settle(turns);
	channel_turns_queue(turns, turn->looks, &entry);
	for (;;) {
		err = channel_turns_try_sleepily(turns, looked, turn);
		if (err != -EAGAIN)
			break;
		if (signal_pending(current)) {
			err = -EINTR; /* if it is blocked again soon, nobody begins the call anew */
			break;
		}
		wait_woken(&entry, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	}
	remove_wait_queue(&turns->channel->workers, &entry);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	if (err == -EINTR && ikc_receiver_ready(&turns->channel->receiver))
		wake_up_interruptible(&turns->channel->workers);
	return err;
}

/* Looks for as long as he may, unless another one does. */
static __always_inline int channel_turns_look(struct channel_turns *turns, struct ikc_turn *turn, bool *looked)
{
	struct channel *channel = turns->channel;
	u64 ns = READ_ONCE(turns->spin_ns);
	int err = -EAGAIN;

	smp_mb__before_atomic(); /* `owes`: who looks now sees it when he stops */
	if (unlikely(!ns || atomic_cmpxchg(&turns->looks, 0, 1)))
		return -EAGAIN;
	if (unlikely(READ_ONCE(channel->receiver_waits)))
		channel_be_silent(channel);
	if (ikc_receiver_ready(&channel->receiver) || channel_spin(channel, ns))
		err = channel_turns_try(turns, turn);
	atomic_set(&turns->looks, 0);
	smp_mb();
	*looked = true;
	return err;
}

static __always_inline int channel_turns_take(struct channel_turns *turns, struct ikc_turn *turn)
{
	bool looked = false;
	int err = -EAGAIN;

	if (unlikely(channel_turns_signals(turns)))
		return -EINTR;
	if (likely(turn->looks))
		err = channel_turns_look(turns, turn, &looked);
	if (unlikely(err == -EAGAIN))
		err = channel_turns_sleep(turns, looked, turn);
	channel_turns_leave(turns);
	return err;
}

/* ---- both ---- */

/* If he sent something he must not do so again. */
static noinline long channel_turns_fail(struct ikc_turn __user *to, int err)
{
	return put_user(0, &to->length) ? -EFAULT : err;
}

CHANNEL_HOT long channel_turns_turn(struct channel_turns *turns, struct ikc_turn __user *argument, bool wait)
{
	struct ikc_turn turn __uninitialized; /* else it is cleared first, a word a time */
	int err;

	if (unlikely(turns->channel->terms.packet_size > IKC_TURN_LENGTH))
		return -EMSGSIZE;
	if (unlikely(channel_turns_fetch(argument, &turn)))
		return -EFAULT;
	if (likely(turn.length)) {
		err = channel_turns_send(turns, &turn, wait);
		if (unlikely(err))
			return err;
	}
	err = likely(wait) ? channel_turns_take(turns, &turn) : channel_turns_try_seldom(turns, &turn);
	if (unlikely(err))
		return channel_turns_fail(argument, err);
	return channel_turns_give(argument, &turn) ?: (long)turn.length;
}

/* ---- life ---- */

void channel_turns_init(struct channel_turns *turns, struct channel *channel, const bool *stopping)
{
	turns->channel = channel;
	turns->stopping = stopping;
	timer_setup(&turns->watch, channel_turns_watch, 0);
}

void channel_turns_end(struct channel_turns *turns)
{
	del_timer_sync(&turns->watch);
}
