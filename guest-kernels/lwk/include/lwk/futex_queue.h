/* SPDX-License-Identifier: Apache-2.0 */
/* Threads in line at futexes: for futex.c and futex_lock.c. */
#ifndef LWK_FUTEX_QUEUE_H
#define LWK_FUTEX_QUEUE_H

#include <lwk/spinlock.h>
#include <lwk/types.h>

struct futex_bucket;
struct process;
struct thread;

/* A place in line. It lies with who waits; who is in line at many futexes has many. */
struct futex_waiter {
	struct futex_waiter *next;
	struct thread *thread;
	struct futex_bucket *bucket; /* changes under both locks, when it is moved */
	uint64_t address;
	uint64_t lock; /* the address of the lock that it is to get: this one, or where it will be moved; 0: none */
	uint32_t expected;
	uint32_t bits;
	bool woken; /* and in no line; set under the bucket's lock */
};

struct futex_bucket {
	struct spinlock lock;
	struct futex_waiter *first; /* who came first */
} __attribute__((aligned(CACHE_LINE)));

#define FUTEX_BUCKETS 64 /* a power of two */

extern struct futex_bucket futex_buckets[FUTEX_BUCKETS];

struct futex_bucket *futex_bucket_of(const struct process *process, uint64_t address);

/* A place for this thread, in no line yet. */
struct futex_waiter futex_waiter_at(uint64_t address, uint32_t expected, uint32_t bits);

/*
 * Takes the place if the int there is what is expected. The look and the place are one step for who changes the int and
 * then wakes. -EAGAIN: it is another; -EFAULT.
 */
int futex_enqueue(struct futex_waiter *waiter);

/* Also for who was woken: who did that had the lock, and is done with the place when it is the thread's again. */
void futex_dequeue(struct futex_waiter *waiter);

/* Until one of these places is woken, the deadline, a signal, or the end. True: the deadline is over. */
bool futex_sleep(const struct futex_waiter *waiters, unsigned int count, uint64_t deadline);

/* ---- with the bucket's lock ---- */

void futex_append(struct futex_bucket *bucket, struct futex_waiter *waiter);

/* The link to the first place from `link` on that is in line at the address; to NULL: there is none. */
struct futex_waiter **futex_find(struct futex_waiter **link, const struct process *process, uint64_t address);

/* Takes the place that a link leads to out of its line, and wakes it. */
void futex_wake_at(struct futex_waiter **link);

/* ---- two buckets, always in the same order ---- */

uint64_t futex_lock_two(struct futex_bucket *first, struct futex_bucket *second);
void futex_unlock_two(struct futex_bucket *first, struct futex_bucket *second, uint64_t flags);

/* Moves the place that a link leads to, with both locks, to the end of another line. */
void futex_move(struct futex_waiter **link, struct futex_bucket *to, uint64_t address);

#endif
