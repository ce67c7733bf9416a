/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be told of signals that are pending, for a process or one of its threads, in the order in which they were sent. A
 * real-time signal is there as often as it was sent, any other once. One page of a process, under its lock.
 */
#ifndef LWK_SIGNAL_QUEUE_H
#define LWK_SIGNAL_QUEUE_H

#include <lwk/signal.h>
#include <lwk/types.h>

struct queued_signal {
	const struct thread *thread; /* that it is for; NULL: the process */
	uint32_t number;
	struct signal_cause cause;
};

#define SIGNAL_QUEUE_MAX ((PAGE_SIZE - sizeof(uint64_t)) / sizeof(struct queued_signal))

struct signal_queue {
	uint32_t count;
	struct queued_signal signals[SIGNAL_QUEUE_MAX]; /* the oldest first */
};

/* False: there is no room. */
bool signal_queue_add(struct signal_queue *queue, const struct thread *thread, uint32_t number,
		      const struct signal_cause *cause);

/*
 * The oldest of that number goes to *cause, or, as on Linux, if there was no room for it: somebody has sent it. True: there is
 * another one.
 */
bool signal_queue_take(struct signal_queue *queue, const struct thread *thread, uint32_t number,
		       struct signal_cause *cause);

/* All of these numbers; of a thread that has ended, too. */
void signal_queue_drop(struct signal_queue *queue, const struct thread *thread, uint64_t set);

#endif
