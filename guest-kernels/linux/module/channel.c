// SPDX-License-Identifier: GPL-2.0-only
/* What passes over a channel. */
#include <linux/slab.h>
#include <linux/ktime.h>

#include "channel_passing.h"

/* Looks at the ring between two looks at the clock, and two pauses: under emulation each leaves the CPU's loop. */
#define CHANNEL_SPIN_LOOKS 1024

/* For the answer, while both locks are held: some hundred microseconds. */
#define CHANNEL_EXCHANGE_LOOKS 1024

struct channel *channel_new(struct link *link, u32 index, const struct ikc_terms *terms)
{
	struct channel *channel = kzalloc(sizeof(*channel), GFP_KERNEL);

	if (!channel)
		return NULL;
	kref_init(&channel->refs);
	kref_get(&channel->refs); /* the link's, and the program's */
	channel->link = link;
	channel->index = index;
	channel->generation = link->ikc.generation;
	channel->terms = *terms;
	INIT_LIST_HEAD(&channel->list);
	init_waitqueue_head(&channel->readable);
	init_waitqueue_head(&channel->writable);
	init_waitqueue_head(&channel->workers);
	mutex_init(&channel->receive_lock);
	mutex_init(&channel->send_lock);
	return channel;
}

static void channel_free(struct kref *refs)
{
	kfree(container_of(refs, struct channel, refs));
}

void channel_put(struct channel *channel)
{
	kref_put(&channel->refs, channel_free);
}

void channel_wake(struct channel *channel)
{
	wake_up_interruptible_all(&channel->readable);
	wake_up_interruptible_all(&channel->writable);
	wake_up_interruptible_all(&channel->workers);
}

void channel_ring(struct channel *channel)
{
	channel_count(&channel_words(channel)->doorbells);
	region_ring(channel->link->region, channel->link->ikc.peer_id,
		    ikc_channel_vector(&channel->link->channels, channel->index));
}

void channel_record(struct channel *channel, enum ikc_trace_direction direction,
		    const struct ikc_message *message, const void *payload)
{
	struct ikc_passage passage = {
		.generation = channel->generation,
		.peer = channel->link->ikc.peer_id,
		.ring = IKC_RINGS + channel->index,
		.direction = direction,
	};

	trace_message(channel->link->trace, passage, message, payload);
}

int channel_fault(struct channel *channel, enum ikc_reset_reason reason)
{
	link_channel_fault(channel->link, channel, reason);
	return -ENETRESET;
}

/* ---- out ---- */

int channel_reap_loans(struct channel *channel)
{
	int result = lending_reap(channel->link->lending, &channel->loans, &channel->sender);

	if (channel->loans.settled == channel->sender.head)
		channel->lends = false;
	return result;
}

static int channel_begin_loans(struct channel *channel)
{
	int result = channel->lends ? IKC_OK : ikc_loans_begin(&channel->loans, &channel->sender);

	channel->lends |= result == IKC_OK;
	return result;
}

int channel_try_lend(struct channel *channel, const struct channel_load *load)
{
	int result = channel_begin_loans(channel);

	if (result != IKC_OK)
		return result;
	return ikc_lend(&channel->loans, &channel->sender, load->first, load->length);
}

void channel_wait_for_room(struct channel *channel, bool waits)
{
	WRITE_ONCE(channel->sender_waits, waits);
	ikc_sender_wait(&channel->sender, waits);
}

/* What was taken before the flag was up rings nobody: look again. */
int channel_put_waiting(struct channel *channel, const struct channel_load *load)
{
	channel_wait_for_room(channel, true);
	return channel_try_put(channel, load);
}

bool channel_peer_comes(const struct channel *channel)
{
	u32 since = channel->sender.head - channel->rung;

	return channel->sender.head - ikc_load_ordered(&channel->sender.peer->tail) > since;
}

void channel_ring_for_left(struct channel *channel)
{
	if (READ_ONCE(channel->dead) || !READ_ONCE(channel->opened))
		return;
	if (ikc_sender_room(&channel->sender) != (int)channel->sender.slot_count)
		channel_ring_if_asleep(channel);
}

int channel_send(struct channel *channel, const void *payload, u32 length)
{
	return channel_send_short(channel, payload, length, NULL);
}

/* One doorbell for all: it costs more than they do. */
int channel_send_several(struct channel *channel, const void *payloads, u32 length, u32 count)
{
	struct channel_load load = { .payload = payloads, .length = length };
	u32 sent = 0;
	int err = 0;

	if (!length || length > channel->terms.packet_size)
		return -EMSGSIZE;
	mutex_lock(&channel->send_lock);
	for (; sent < count && !err; sent += !err) {
		load.payload = payloads + (size_t)sent * length;
		err = channel_put_locked(channel, &load);
	}
	if (sent)
		channel_ring_if_asleep(channel);
	mutex_unlock(&channel->send_lock);
	if (err == -EPROTO)
		return channel_fault(channel, IKC_RESET_BAD_TAIL);
	return sent ? (int)sent : err;
}

int channel_lend(struct channel *channel, u32 first, u32 length)
{
	struct channel_load load = { .length = length, .first = first };

	return channel_send_load(channel, &load, NULL);
}

static void channel_reap_locked(struct channel *channel)
{
	if (!channel->dead && channel->opened && channel->lends)
		channel_reap_loans(channel);
}

void channel_reap(struct channel *channel)
{
	mutex_lock(&channel->send_lock);
	channel_reap_locked(channel);
	mutex_unlock(&channel->send_lock);
}

void channel_await_reaped(struct channel *channel)
{
	mutex_lock(&channel->send_lock);
	if (!channel->dead && channel->opened)
		channel_wait_for_room(channel, true);
	channel_reap_locked(channel);
	mutex_unlock(&channel->send_lock);
}

static bool channel_has_room(struct channel *channel)
{
	int needed = ikc_slots_for(channel->terms.packet_size);
	int room = ikc_sender_room(&channel->sender);

	return room < 0 || room >= needed; /* below 0: the fault is found on sending */
}

bool channel_is_writable(struct channel *channel)
{
	bool writable;

	mutex_lock(&channel->send_lock);
	writable = channel->dead || channel->ended;
	if (!writable && channel->opened) {
		writable = channel_has_room(channel);
		if (!writable) {
			channel_wait_for_room(channel, true);
			writable = channel_has_room(channel);
		}
	}
	mutex_unlock(&channel->send_lock);
	return writable;
}

/* ---- in ---- */

void channel_wait_for_message(struct channel *channel, bool waits)
{
	WRITE_ONCE(channel->receiver_waits, waits);
	ikc_receiver_wait(&channel->receiver, waits);
}

/* What came before the flag was up rang nobody: look again. */
int channel_peek_waiting(struct channel *channel, struct channel_next *next)
{
	channel_wait_for_message(channel, true);
	return channel_try_peek(channel, next);
}

int channel_find_lent(struct channel *channel, struct channel_next *next)
{
	const struct ikc_partition *peer = region_partition(channel->link->region, channel->link->ikc.peer_id);

	next->lent = ikc_lent(peer->pool, &next->message, next->buffer, &next->length);
	return next->lent ? 0 : -EPROTO;
}

int channel_skip_unknown(struct channel *channel, struct channel_next *next)
{
	u32 most;
	int result = IKC_OK;

	for (most = IKC_CHANNEL_SLOTS; most && channel_is_unknown(result, next); most--) {
		channel_take_locked(channel, next);
		result = channel_peek_or_wait(channel, next);
	}
	return result;
}

int channel_peek(struct channel *channel, struct channel_next *next)
{
	int err;

	mutex_lock(&channel->receive_lock);
	err = channel_peek_locked(channel, next);
	mutex_unlock(&channel->receive_lock);
	return err == -EPROTO ? channel_fault(channel, IKC_RESET_BAD_LENGTH) : err;
}

int channel_receive(struct channel *channel, struct channel_next *next, size_t room)
{
	return channel_receive_short(channel, next, room);
}

/* Is the peer still in the life that lent us something? We may not have been told yet. */
static bool channel_lender_lives(const struct channel *channel)
{
	smp_rmb(); /* all that was copied of it was copied before this look */
	return ikc_link_peer_lives(&channel->link->ikc) >> 32 == channel->receiver.generation;
}

int channel_take_lent(struct channel *channel, const struct channel_next *next)
{
	int err = -ENETRESET;

	mutex_lock(&channel->receive_lock);
	if (!channel->dead && channel_lender_lives(channel)) {
		channel_take_locked(channel, next);
		err = 0;
	}
	mutex_unlock(&channel->receive_lock);
	return err;
}

u64 channel_taken(const struct channel *channel)
{
	return ikc_load(&channel_words(channel)->received);
}

static bool channel_has_news(const struct channel *channel)
{
	return READ_ONCE(channel->dead) || READ_ONCE(channel->ended) || channel->denied;
}

bool channel_is_readable(struct channel *channel)
{
	bool readable;

	mutex_lock(&channel->receive_lock);
	readable = channel_has_news(channel);
	if (!readable) {
		readable = ikc_receiver_ready(&channel->receiver);
		if (!readable) {
			channel_wait_for_message(channel, true);
			readable = ikc_receiver_ready(&channel->receiver);
		}
	}
	mutex_unlock(&channel->receive_lock);
	return readable;
}

bool channel_has_something(const struct channel *channel)
{
	return channel_has_news(channel) || ikc_receiver_ready(&channel->receiver);
}

void channel_be_silent(struct channel *channel)
{
	if (!READ_ONCE(channel->receiver_waits))
		return;
	mutex_lock(&channel->receive_lock);
	if (!channel->dead && channel->receiver_waits)
		channel_wait_for_message(channel, false);
	mutex_unlock(&channel->receive_lock);
}

/* So many looks. True if there is no need for more. */
static bool channel_spin_briefly(struct channel *channel)
{
	return ikc_receiver_spin(&channel->receiver, CHANNEL_SPIN_LOOKS) || channel_has_news(channel) ||
	       signal_pending(current);
}

/* Not while others want the CPU. */
bool channel_spin(struct channel *channel, u64 ns)
{
	u64 now, until = 0; /* the clock is dear: not before the first looks */

	while (!channel_spin_briefly(channel)) {
		now = ktime_get_ns();
		if (!until)
			until = now + ns;
		if (now >= until || need_resched())
			return false;
		cpu_relax();
	}
	return true;
}

/* ---- there and back ---- */

CHANNEL_SHORT int channel_ask(struct channel *channel, struct channel_exchange *exchange)
{
	struct channel_load load = { .payload = exchange->payload, .length = exchange->length };
	int err = channel_send_locked(channel, &load, NULL);

	exchange->asked = !err;
	return err;
}

/*
 * Between two looks for an answer that is due: some instructions. None at all, and the word's cache line is torn from
 * who writes it; a pause each time, and the answer lies there meanwhile: under emulation it leaves the CPU's loop.
 */
static void channel_pace(u32 looks)
{
	u32 step;

	for (step = 0; step < 12; step++)
		barrier();
	if (looks % 64 == 0)
		cpu_relax();
}

/* -EAGAIN: nothing after so many looks. */
CHANNEL_SHORT int channel_await_answer(struct channel *channel, struct channel_exchange *exchange)
{
	u32 looks = 0;
	int err;

	while (!ikc_receiver_ready(&channel->receiver)) {
		if (++looks < CHANNEL_EXCHANGE_LOOKS)
			channel_pace(looks);
		else if (!channel->dead && !channel->ended)
			return -EAGAIN;
		else
			break;
	}
	err = channel_peek_locked(channel, &exchange->next);
	if (err)
		return err;
	exchange->asked = false;
	exchange->done++;
	return 0;
}

/* The next question goes out before the last answer is taken: nobody waits for that. */
static int channel_exchange_locked(struct channel *channel, struct channel_exchange *exchange, u32 most)
{
	bool more, holds = false;
	int err = 0;

	do {
		more = exchange->done < most;
		if (more && !exchange->asked)
			err = channel_ask(channel, exchange);
		if (holds)
			channel_take_locked(channel, &exchange->next);
		if (more && !err)
			err = channel_await_answer(channel, exchange);
		holds = more && !err;
	} while (holds);
	return err;
}

int channel_exchange(struct channel *channel, struct channel_exchange *exchange, u32 most)
{
	int err;

	mutex_lock(&channel->receive_lock);
	mutex_lock(&channel->send_lock);
	err = channel_exchange_locked(channel, exchange, most);
	mutex_unlock(&channel->send_lock);
	mutex_unlock(&channel->receive_lock);
	if (err == -EPROTO)
		err = channel_fault(channel, exchange->asked ? IKC_RESET_BAD_LENGTH : IKC_RESET_BAD_TAIL);
	return err;
}

/* ---- doorbells ---- */

void channel_rung(struct channel *channel)
{
	if (READ_ONCE(channel->bare_waits))
		wake_up_interruptible_all(&channel->readable);
	if (READ_ONCE(channel->receiver_waits) && ikc_receiver_ready(&channel->receiver))
		wake_up_interruptible_all(&channel->readable);
	/* the peer may also ring when nobody has asked for it: he who looked is away */
	if (wq_has_sleeper(&channel->workers) && ikc_receiver_ready(&channel->receiver))
		wake_up_interruptible(&channel->workers);
	if (READ_ONCE(channel->sender_waits) && ikc_sender_room(&channel->sender) != 0)
		wake_up_interruptible_all(&channel->writable);
}

void channel_say_vector(struct channel *channel)
{
	ikc_store_ordered(&channel_words(channel)->vector, IKC_VECTOR_CHANNEL + channel->vector);
	channel_wake(channel); /* who was rung elsewhere until now looks again */
}
