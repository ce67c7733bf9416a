/* SPDX-License-Identifier: Apache-2.0 */
/* Threads in line at futexes. All futexes are a process's own: no memory is shared between two. */
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/futex_queue.h>
#include <lwk/process.h>
#include <lwk/signal.h>
#include <lwk/sleep.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

struct futex_bucket futex_buckets[FUTEX_BUCKETS];

struct futex_bucket *futex_bucket_of(const struct process *process, uint64_t address)
{
	uint64_t key = (address >> 2) ^ ((uint64_t)process >> PAGE_SHIFT);

	return &futex_buckets[(key ^ key >> 8 ^ key >> 16) & (FUTEX_BUCKETS - 1)];
}

struct futex_waiter futex_waiter_at(uint64_t address, uint32_t expected, uint32_t bits)
{
	return (struct futex_waiter){
		.thread = this_thread(),
		.bucket = futex_bucket_of(this_thread()->process, address),
		.address = address,
		.expected = expected,
		.bits = bits,
	};
}

void futex_append(struct futex_bucket *bucket, struct futex_waiter *waiter)
{
	struct futex_waiter **link = &bucket->first;

	while (*link)
		link = &(*link)->next;
	waiter->next = NULL;
	*link = waiter;
}

static void remove(struct futex_bucket *bucket, const struct futex_waiter *waiter)
{
	struct futex_waiter **link = &bucket->first;

	while (*link && *link != waiter)
		link = &(*link)->next;
	if (*link)
		*link = waiter->next;
}

int futex_enqueue(struct futex_waiter *waiter)
{
	struct futex_bucket *bucket = waiter->bucket;
	uint64_t flags = spin_lock(&bucket->lock);
	uint32_t value;
	int err = copy_from_user(&value, waiter->address, sizeof(value));

	if (!err && value != waiter->expected)
		err = -EAGAIN;
	if (!err)
		futex_append(bucket, waiter);
	spin_unlock(&bucket->lock, flags);
	return err;
}

void futex_dequeue(struct futex_waiter *waiter)
{
	for (;;) {
		struct futex_bucket *bucket = __atomic_load_n(&waiter->bucket, __ATOMIC_ACQUIRE);
		uint64_t flags = spin_lock(&bucket->lock);
		bool here = waiter->bucket == bucket;

		if (here && !waiter->woken)
			remove(bucket, waiter);
		spin_unlock(&bucket->lock, flags);
		if (here)
			return;
	}
}

static bool is_any_woken(const struct futex_waiter *waiters, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (__atomic_load_n(&waiters[i].woken, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

bool futex_sleep(const struct futex_waiter *waiters, unsigned int count, uint64_t deadline)
{
	struct thread *thread = this_thread();
	struct sleeper sleeper = { 0 };

	if (deadline != FUTEX_FOR_EVER)
		sleep_begin(&sleeper, deadline);
	while (!is_any_woken(waiters, count) && !sleep_is_over(&sleeper) && !signal_is_due(thread) &&
	       !process_is_ending(thread->process))
		thread_wait();
	if (deadline != FUTEX_FOR_EVER)
		sleep_end(&sleeper);
	return sleep_is_over(&sleeper);
}

struct futex_waiter **futex_find(struct futex_waiter **link, const struct process *process, uint64_t address)
{
	while (*link && ((*link)->thread->process != process || (*link)->address != address))
		link = &(*link)->next;
	return link;
}

void futex_wake_at(struct futex_waiter **link)
{
	struct futex_waiter *waiter = *link;
	struct thread *thread = waiter->thread;

	*link = waiter->next;
	__atomic_store_n(&waiter->woken, true, __ATOMIC_RELEASE);
	thread_wake(thread);
}

uint64_t futex_lock_two(struct futex_bucket *first, struct futex_bucket *second)
{
	uint64_t flags = spin_lock(first < second ? &first->lock : &second->lock);

	if (first != second)
		spin_lock(first < second ? &second->lock : &first->lock);
	return flags;
}

void futex_unlock_two(struct futex_bucket *first, struct futex_bucket *second, uint64_t flags)
{
	if (first != second)
		spin_unlock(&second->lock, 0);
	spin_unlock(&first->lock, flags);
}

void futex_move(struct futex_waiter **link, struct futex_bucket *to, uint64_t address)
{
	struct futex_waiter *waiter = *link;

	*link = waiter->next;
	waiter->address = address;
	__atomic_store_n(&waiter->bucket, to, __ATOMIC_RELEASE);
	futex_append(to, waiter);
}
