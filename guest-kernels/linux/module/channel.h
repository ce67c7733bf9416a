/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel: a pair of rings to one peer that one program has for itself. How it comes and goes is the link's
 * (link_channels.c); here is what passes over it.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include "ikc_channel.h"
#include "ikc_pool.h"

/* What each call of a program passes through lies side by side, in few pages. */
#define CHANNEL_HOT __attribute__((__hot__))

struct link;

struct channel {
	struct kref refs; /* one of the program's file, one of the link until nobody's words are about it */
	struct link *link;
	u32 index;
	u32 generation; /* of our life of the link */
	struct ikc_terms terms;
	struct list_head list; /* of a listener, until a program takes it */

	u32 vector; /* by vectors.c */
	struct list_head vector_list;

	wait_queue_head_t readable; /* a message; also for all that happens below */
	wait_queue_head_t writable; /* room */
	wait_queue_head_t workers;  /* as `readable`: one of them is woken for a message (channel_turn.h) */

	/* These change with both locks, inside link->lock. */
	bool opened;  /* both ends have said so: may send */
	bool ended;   /* the peer has closed it; what it sent before may still be there */
	bool dead;    /* the link was reset: nothing of the rings is ours any more */
	bool denied;  /* with `refusal` */
	u32 refusal;  /* enum ikc_channel_refusal, or what a broken peer wrote there */

	struct mutex receive_lock; /* held while a ring is touched, and not while anybody waits */
	struct ikc_receiver receiver;
	bool receiver_waits;

	struct mutex send_lock;
	struct ikc_sender sender;
	struct ikc_loans loans;
	bool lends; /* `loans` has something, and every send begins with a look at what was taken */
	bool sender_waits;
	u32 rung; /* `sender.head` when the peer was last rung for an answer */

	bool bare_waits; /* a measurement: every doorbell wakes `readable` */
};

/* NULL: no memory. */
struct channel *channel_new(struct link *link, u32 index, const struct ikc_terms *terms);
void channel_put(struct channel *channel);

/*
 * Sends one message, copied. 0; -EAGAIN: no room, or not open on the other side yet: `writable` is woken;
 * -EMSGSIZE: longer than the channel's packets; -EPIPE: the peer has closed it; -ENETRESET: the link was reset.
 */
int channel_send(struct channel *channel, const void *payload, u32 length);

/* Unless the peer has taken all that was sent to it, or looks all the time. In interrupts too. */
void channel_ring_for_left(struct channel *channel);

/* As channel_send, of `count` payloads of that length, one behind the other. Returns how many were sent, if any. */
int channel_send_several(struct channel *channel, const void *payloads, u32 length, u32 count);

/* As channel_send: lends `length` bytes that lie in the pool from page `first` on. */
int channel_lend(struct channel *channel, u32 first, u32 length);

/* Is a message sure to find room, or an error to be told? If not, `writable` is woken when to look again. */
bool channel_is_writable(struct channel *channel);

/* The message that is next: what it is, and where. */
struct channel_next {
	struct ikc_message message;
	u32 length;	 /* of the payload */
	const u8 *lent;	 /* in the peer's pool, which may change it at any time; NULL: in `buffer` */
	u8 *buffer;
	u32 capacity;	 /* bytes of `buffer`, as many as the longest packet */
};

/*
 * Copies the next message out and leaves it in the ring. 0; -EAGAIN: none, `readable` is woken; -EPIPE: none,
 * and none will come; -ENETRESET. One program at a time.
 */
int channel_peek(struct channel *channel, struct channel_next *next);

/*
 * As channel_peek, and takes it, unless it was lent: that needs channel_take_lent. -EMSGSIZE: longer than `room`;
 * it stays.
 */
int channel_receive(struct channel *channel, struct channel_next *next, size_t room);

/* Round trips that are asked for one after the other. */
struct channel_exchange {
	const void *payload; /* of each question, at most a packet */
	u32 length;
	struct channel_next next; /* the last answer */
	u32 done;
	bool asked; /* its answer is due */
};

/*
 * By polling, and under the locks until `most` are done or no answer was there after some looks: -EAGAIN, go on after
 * others had their turn. Errors as of channel_send and channel_receive.
 */
int channel_exchange(struct channel *channel, struct channel_exchange *exchange, u32 most);

/* What was lent has been copied. -ENETRESET: the link was reset meanwhile, do not believe it. */
int channel_take_lent(struct channel *channel, const struct channel_next *next);

/* Takes back what the peer has taken of what was lent. */
void channel_reap(struct channel *channel);

/* As channel_reap, and asks to be rung for more: `writable` is woken. */
void channel_await_reaped(struct channel *channel);

void channel_ring(struct channel *channel);

bool channel_is_readable(struct channel *channel);

/* The same, and does not ask to be rung if there is nothing. */
bool channel_has_something(const struct channel *channel);

/* How many messages were taken so far, whoever did. */
u64 channel_taken(const struct channel *channel);

/* Looks for a message for so long without sleeping. True: there is something to be told. */
bool channel_spin(struct channel *channel, u64 ns);

/* Who sends need not ring: somebody looks. */
void channel_be_silent(struct channel *channel);

/* It was rung: wakes whoever has something to do now. In interrupts too. */
void channel_rung(struct channel *channel);

/* Tells the peer on which vector to ring. */
void channel_say_vector(struct channel *channel);

void channel_wake(struct channel *channel);

#endif
