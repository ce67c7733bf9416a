/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serves channels: each of the channel vectors goes to a CPU, whose work looks at the channels that
 * named this vector, a few messages of each in turn, and calls their users. Like the data rings' work
 * it looks some rounds more when it finds nothing, then raises its flags, looks again, and sleeps.
 */
#include <arch/cpu.h>
#include <lwk/cmdline.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/log.h>
#include <lwk/string.h>
#include <lwk/work.h>

#define BATCH 32 /* messages of one channel before the next has its turn */
#define IDLE_ROUNDS 64 /* before it sleeps; none while threads wait for the CPU, which are held up by each */
#define LOOKS 64 /* at a channel's next slot, by who waits for it, between two looks at other things */

struct channel_vector {
	unsigned int cpu_id;
	struct work work;

	/* the work's own */
	uint32_t vector;
	unsigned int idle_rounds;
	_Alignas(uint64_t) uint8_t payload[IKC_MESSAGE_MAX];
};

static struct channel_vector vectors[IKC_CHANNEL_VECTORS];

static struct channel_vector *vector_at(uint32_t vector)
{
	return &vectors[vector - IKC_VECTOR_CHANNEL];
}

/* ---- one channel ---- */

static bool try_claim(struct channel *channel)
{
	return !__atomic_exchange_n(&channel->claimed, true, __ATOMIC_SEQ_CST);
}

/* False: another CPU is at it, and will have it looked at once more if need be. */
static bool claim(struct channel *channel)
{
	if (try_claim(channel))
		return true;
	__atomic_store_n(&channel->missed, true, __ATOMIC_SEQ_CST);
	return try_claim(channel); /* it may have gone before it saw that */
}

HOT static void release(struct channel *channel)
{
	ikc_store_ordered(&channel->claimed, false);
	if (__atomic_load_n(&channel->missed, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&channel->missed, false, __ATOMIC_RELAXED);
		channel_look_soon(channel);
	}
}

static void set_taken_over(struct channel *channel, bool taken_over)
{
	uint64_t flags = spin_lock(&channel->lock);

	channel->taken_over = taken_over;
	channel->quick = taken_over && channel->state == CHANNEL_OPEN && !channel->lends &&
			 !channel_flag(&channel->closing) && !channel_flag(&channel->peer_closed);
	spin_unlock(&channel->lock, flags);
}

/* Anybody may: up does no harm. Who takes it down looks until he raises it. */
static void set_flag(struct channel *channel, bool up)
{
	if (ikc_load(&channel->receiver.own->receiver_waits) != up)
		ikc_receiver_wait(&channel->receiver, up);
}

/* True if there is something to take after all. */
static bool raise_flag(struct channel *channel)
{
	ikc_receiver_wait(&channel->receiver, true);
	return ikc_receiver_ready(&channel->receiver);
}

void channel_take_over(struct channel *channel)
{
	while (!try_claim(channel))
		cpu_relax();
	set_taken_over(channel, true);
	set_flag(channel, false);
}

void channel_give_back(struct channel *channel)
{
	set_taken_over(channel, false);
	release(channel);
	channel_look_soon(channel);
}

void channel_be_rung(struct channel *channel, bool rung)
{
	set_flag(channel, rung);
}

static void serve_lost(struct channel *channel)
{
	if (channel->told && channel->calls->ended && !channel_flag(&channel->closing))
		channel->calls->ended(channel);
	channel_free(channel);
}

static void serve_denied(struct channel *channel)
{
	const struct channel_calls *calls = channel->calls;
	bool closing = channel_flag(&channel->closing);
	uint32_t refusal = channel->refusal;
	void *owner = channel->owner;

	channel_free(channel); /* first: its user may well open another */
	if (calls->denied && !closing)
		calls->denied(owner, refusal);
}

/* False while something waits for room. */
static bool serve_room(struct channel *channel)
{
	bool call = channel_find_room(channel);

	if (channel_flag(&channel->call_again))
		call |= __atomic_exchange_n(&channel->call_again, false, __ATOMIC_ACQ_REL);
	if (call && channel->calls->writable)
		channel->calls->writable(channel);
	return call || !channel->sender_waits;
}

/* False: the user cannot take it yet, for want of room; when the peer has closed, none will come. */
static bool deliver(struct channel *channel, const struct channel_message *message)
{
	channel->holds = channel->calls->message(channel, message) == -EAGAIN &&
			 !channel_flag(&channel->peer_closed);
	return !channel->holds;
}

HOT static unsigned int serve_messages(struct channel *channel, uint8_t *payload)
{
	struct channel_message message;
	unsigned int taken;

	for (taken = 0; taken < BATCH; taken++) {
		if (taken && !ikc_receiver_ready(&channel->receiver))
			break;
		if (channel_flag(&channel->closing) || channel_peek(channel, &message, payload))
			break;
		if (!channel_flag(&channel->attended))
			set_flag(channel, false);
		if (!deliver(channel, &message))
			break;
		channel_take(channel, &message);
	}
	if (taken)
		channel_give_room(channel);
	return taken;
}

/* The peer has closed it, and all that it sent was taken. */
static bool is_over(struct channel *channel)
{
	return channel_flag(&channel->peer_closed) && !ikc_receiver_ready(&channel->receiver);
}

/* True if it took anything. */
static bool serve_open(struct channel *channel, uint8_t *payload)
{
	unsigned int taken = 0;
	bool room;

	if (channel_flag(&channel->closing)) {
		channel_end(channel);
		return false;
	}
	if (!channel->told) {
		channel->told = true;
		if (channel->calls->opened)
			channel->calls->opened(channel);
	}
	room = serve_room(channel);
	if (room || !channel->holds || channel_flag(&channel->peer_closed))
		taken = serve_messages(channel, payload);
	if (!channel_flag(&channel->closing) && is_over(channel)) {
		if (channel->calls->ended)
			channel->calls->ended(channel);
		channel_stop(channel, &channel->closing);
	}
	if (channel_flag(&channel->closing))
		channel_end(channel);
	return taken > 0;
}

/* One turn of one channel. True if there may be more to do. */
static bool serve(struct channel *channel, uint8_t *payload)
{
	bool busy = false;

	if (!claim(channel))
		return false;
	switch (channel_state(channel)) {
	case CHANNEL_ASKING:
		if (channel_flag(&channel->closing))
			channel_end(channel);
		break;
	case CHANNEL_OPEN:
		busy = serve_open(channel, payload);
		break;
	case CHANNEL_DENIED:
		serve_denied(channel);
		break;
	case CHANNEL_LOST:
		serve_lost(channel);
		break;
	default:
		break;
	}
	release(channel);
	return busy;
}

/* Before sleeping. True if there is something to take after all. */
static bool prepare_to_sleep(struct channel *channel, uint8_t *payload)
{
	bool ready = false;

	(void)payload;
	if (!claim(channel))
		return false;
	/* while a message is held, room is what this channel waits for */
	if (channel_state(channel) == CHANNEL_OPEN && !channel->holds &&
	    !channel_flag(&channel->attended))
		ready = raise_flag(channel);
	release(channel);
	return ready;
}

/* ---- by who waits ---- */

/* What came before the flag was up may have rung nobody. */
void channel_attend(struct channel *channel, bool awake)
{
	channel_set_flag(&channel->attended);
	if (awake)
		ikc_receiver_come_by(&channel->receiver);
	else if (raise_flag(channel))
		channel_look_soon(channel);
}

HOT void channel_look(struct channel *channel, uint8_t *buffer)
{
	if (!ikc_receiver_spin(&channel->receiver, LOOKS) || channel->holds || !try_claim(channel))
		return;
	if (channel_state(channel) == CHANNEL_OPEN && channel->told)
		serve_messages(channel, buffer);
	release(channel);
}

void channel_urge(struct channel *channel)
{
	if (ikc_sender_room(&channel->sender) != (int)channel->sender.slot_count)
		channel_ring(channel);
}

/* ---- all channels of a vector ---- */

/* True if it was for any of them. */
static bool for_each_channel(struct channel_vector *vector, bool (*turn)(struct channel *, uint8_t *))
{
	bool any = false;

	for_each_ikc_peer(peer) {
		uint32_t used = __atomic_load_n(&peer->channels_used, __ATOMIC_ACQUIRE);

		for (; used; used &= used - 1) {
			struct channel *channel = &peer->ends[__builtin_ctz(used)];

			if (ikc_load_acquire(&channel->vector) == vector->vector)
				any |= turn(channel, vector->payload);
		}
	}
	return any;
}

static void serve_vector(struct work *work)
{
	struct channel_vector *vector = container_of(work, struct channel_vector, work);
	bool busy = for_each_channel(vector, serve);

	if (busy) {
		vector->idle_rounds = 0;
	} else if (vector->idle_rounds < IDLE_ROUNDS && work_list_is_empty(&this_cpu()->threads)) {
		vector->idle_rounds++;
		cpu_relax();
		busy = true;
	} else {
		busy = for_each_channel(vector, prepare_to_sleep);
	}
	if (busy)
		work_queue(vector->cpu_id, work);
}

static void vector_look_soon(struct channel_vector *vector)
{
	work_queue(vector->cpu_id, &vector->work);
}

void channel_vector_rang(void *arg)
{
	vector_look_soon(arg);
}

void channel_look_soon(const struct channel *channel)
{
	vector_look_soon(vector_at(ikc_load_acquire(&channel->vector)));
}

/* ---- which CPU ---- */

/* The ordered store is before the new CPU's look: who rang the old one is found by that. */
static void change_vector(struct channel *channel, uint32_t vector)
{
	uint64_t flags = spin_lock(&channel->peer->lock);
	enum channel_state state = channel->state;

	ikc_store_release(&channel->vector, vector);
	if (state == CHANNEL_ASKING || state == CHANNEL_ACCEPTED || state == CHANNEL_OPEN)
		ikc_store_ordered(&channel->words->vector, vector);
	spin_unlock(&channel->peer->lock, flags);
	channel_look_soon(channel);
}

int channel_serve_on(struct channel *channel, unsigned int cpu_id)
{
	uint32_t first = channel->index % IKC_CHANNEL_VECTORS; /* spread, if several go there */

	for (uint32_t i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		uint32_t at = (first + i) % IKC_CHANNEL_VECTORS;

		if (vectors[at].cpu_id != cpu_id)
			continue;
		change_vector(channel, vectors[at].vector);
		return 0;
	}
	return -EINVAL;
}

void channel_call_again(struct channel *channel)
{
	channel_set_flag(&channel->call_again);
	channel_look_soon(channel);
}

void *channel_vector_argument(uint32_t vector)
{
	return vector_at(vector);
}

unsigned int channel_vector_cpu(uint32_t vector)
{
	return vector_at(vector)->cpu_id;
}

static bool is_online(uint64_t cpu_id)
{
	return cpu_id < cpu_count && cpus[cpu_id]->online;
}

/* "1,2,3,1": false if it is not four CPUs that run. */
static bool parse_map(char *text, unsigned int map[IKC_CHANNEL_VECTORS])
{
	for (unsigned int i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		char *comma = (char *)strchr(text, ',');
		uint64_t cpu_id;

		if (!comma != (i == IKC_CHANNEL_VECTORS - 1))
			return false;
		if (comma)
			*comma = '\0';
		if (!cmdline_parse_number(text, &cpu_id) || !is_online(cpu_id))
			return false;
		map[i] = cpu_id;
		text = comma + 1;
	}
	return true;
}

/* Evenly, and CPU 0, which has the control and data rings, comes last. */
static void spread(unsigned int map[IKC_CHANNEL_VECTORS])
{
	for (unsigned int i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		unsigned int cpu_id = (i * cpu_count / IKC_CHANNEL_VECTORS + 1) % cpu_count;

		map[i] = is_online(cpu_id) ? cpu_id : 0;
	}
}

void channel_vectors_init(void)
{
	unsigned int map[IKC_CHANNEL_VECTORS];
	char text[64], copy[64];

	spread(map);
	if (cmdline_string("ikc_map", text, sizeof(text))) {
		string_copy(copy, text, sizeof(copy));
		if (!parse_map(copy, map)) {
			log_warn("ikc: ikc_map=%s: want the numbers of %u CPUs that run", text,
				 IKC_CHANNEL_VECTORS);
			spread(map);
		}
	}
	for (unsigned int i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		vectors[i].vector = IKC_VECTOR_CHANNEL + i;
		vectors[i].cpu_id = map[i];
		vectors[i].work.run = serve_vector;
	}
	log_info("ikc: channels are served on CPUs %u, %u, %u, %u", map[0], map[1], map[2], map[3]);
}
