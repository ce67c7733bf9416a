/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes. Who waits lies on his own stack, in the list of a bucket. */
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/process.h>
#include <lwk/signal.h>
#include <lwk/sleep.h>
#include <lwk/spinlock.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

#define BUCKETS 64 /* a power of two */

struct bucket;

struct waiter {
	struct waiter *next;
	struct thread *thread;
	struct bucket *bucket; /* changes under both locks, when it is moved */
	uint64_t address;
	uint32_t bits;
	bool woken; /* and in no list; set under the bucket's lock */
};

struct bucket {
	struct spinlock lock;
	struct waiter *first; /* who came first */
} __attribute__((aligned(CACHE_LINE)));

static struct bucket buckets[BUCKETS];

/* All futexes are a process's own: no memory is shared between two. */
static struct bucket *bucket_of(const struct process *process, uint64_t address)
{
	uint64_t key = (address >> 2) ^ ((uint64_t)process >> PAGE_SHIFT);

	return &buckets[(key ^ key >> 8 ^ key >> 16) & (BUCKETS - 1)];
}

static void append(struct bucket *bucket, struct waiter *waiter)
{
	struct waiter **link = &bucket->first;

	while (*link)
		link = &(*link)->next;
	waiter->next = NULL;
	*link = waiter;
}

static void remove(struct bucket *bucket, const struct waiter *waiter)
{
	struct waiter **link = &bucket->first;

	while (*link && *link != waiter)
		link = &(*link)->next;
	if (*link)
		*link = waiter->next;
}

static bool is_woken(const struct waiter *waiter)
{
	return __atomic_load_n(&waiter->woken, __ATOMIC_ACQUIRE);
}

/* The look at the value and the place in the list are one step for who changes the value and then wakes. */
static int enqueue(struct waiter *waiter, uint32_t expected)
{
	struct bucket *bucket = waiter->bucket;
	uint64_t flags = spin_lock(&bucket->lock);
	uint32_t value;
	int err = copy_from_user(&value, waiter->address, sizeof(value));

	if (!err && value != expected)
		err = -EAGAIN;
	if (!err)
		append(bucket, waiter);
	spin_unlock(&bucket->lock, flags);
	return err;
}

/* Also for who was woken: who did that had the lock, and is done with the waiter when it is ours. */
static void dequeue(struct waiter *waiter)
{
	for (;;) {
		struct bucket *bucket = __atomic_load_n(&waiter->bucket, __ATOMIC_ACQUIRE);
		uint64_t flags = spin_lock(&bucket->lock);
		bool here = waiter->bucket == bucket;

		if (here && !waiter->woken)
			remove(bucket, waiter);
		spin_unlock(&bucket->lock, flags);
		if (here)
			return;
	}
}

int futex_wait(struct process *process, uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits)
{
	struct waiter waiter = {
		.thread = this_thread(),
		.bucket = bucket_of(process, address),
		.address = address,
		.bits = bits,
	};
	struct sleeper sleeper = { 0 };
	int err = enqueue(&waiter, expected);

	if (err)
		return err;
	if (deadline != FUTEX_FOR_EVER)
		sleep_begin(&sleeper, deadline);
	while (!is_woken(&waiter) && !sleep_is_over(&sleeper) && !signal_is_due(waiter.thread) &&
	       !process_is_ending(process))
		thread_wait();
	if (deadline != FUTEX_FOR_EVER)
		sleep_end(&sleeper);
	dequeue(&waiter);
	if (waiter.woken)
		return 0;
	return sleep_is_over(&sleeper) ? -ETIMEDOUT : -EINTR;
}

/* ---- waking ---- */

static bool is_for(const struct waiter *waiter, const struct process *process, uint64_t address, uint32_t bits)
{
	return waiter->thread->process == process && waiter->address == address && waiter->bits & bits;
}

int futex_wake(struct process *process, uint64_t address, uint32_t most, uint32_t bits)
{
	struct bucket *bucket = bucket_of(process, address);
	uint64_t flags = spin_lock(&bucket->lock);
	struct waiter **link = &bucket->first;
	uint32_t woken = 0;

	while (*link && woken < most) {
		struct waiter *waiter = *link;

		if (!is_for(waiter, process, address, bits)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		__atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
		thread_wake(waiter->thread);
		woken++;
	}
	spin_unlock(&bucket->lock, flags);
	return woken;
}

/* Both, always in the same order. */
static uint64_t lock_two(struct bucket *first, struct bucket *second)
{
	uint64_t flags = spin_lock(first < second ? &first->lock : &second->lock);

	if (first != second)
		spin_lock(first < second ? &second->lock : &first->lock);
	return flags;
}

static void unlock_two(struct bucket *first, struct bucket *second, uint64_t flags)
{
	if (first != second)
		spin_unlock(&second->lock, 0);
	spin_unlock(&first->lock, flags);
}

int futex_requeue(struct process *process, uint64_t address, uint32_t most, uint64_t other, uint32_t most_moved)
{
	struct bucket *from = bucket_of(process, address), *to = bucket_of(process, other);
	uint32_t woken = futex_wake(process, address, most, FUTEX_ANY), moved = 0;
	uint64_t flags = lock_two(from, to);
	struct waiter **link = &from->first;

	while (address != other && *link && moved < most_moved) {
		struct waiter *waiter = *link;

		if (!is_for(waiter, process, address, FUTEX_ANY)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->address = other;
		__atomic_store_n(&waiter->bucket, to, __ATOMIC_RELEASE);
		append(to, waiter);
		moved++;
	}
	unlock_two(from, to, flags);
	return woken + moved;
}
