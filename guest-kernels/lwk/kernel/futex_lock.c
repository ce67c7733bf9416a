/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes that are locks. A program takes one that is free, and gives one back that nobody waits for, by itself: by
 * an atomic change of the int. All else is done here, under the lock of the bucket.
 */
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/futex_queue.h>
#include <lwk/process.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

static bool is_thread(struct process *process, uint32_t id)
{
	return !process_signal_thread(process, id, 0, NULL);
}

/*
 * For the thread `id`. 0: it has the lock now. -EAGAIN: another one has it, and knows that somebody waits. -EDEADLK,
 * -ESRCH, -EFAULT as futex_lock().
 */
static int claim(struct process *process, struct futex_bucket *bucket, uint64_t address, uint32_t id)
{
	bool waiters = *futex_find(&bucket->first, process, address);
	uint32_t value, owner, wanted;
	int err;

	do {
		if (copy_from_user(&value, address, sizeof(value)))
			return -EFAULT;
		owner = value & FUTEX_OWNER;
		if (owner == id)
			return -EDEADLK;
		if (owner && !is_thread(process, owner))
			return -ESRCH;
		if (owner)
			wanted = value | FUTEX_HAS_WAITERS;
		else
			wanted = id | (value & FUTEX_OWNER_DIED) | (waiters ? FUTEX_HAS_WAITERS : 0);
		err = compare_and_swap_user(address, value, wanted);
	} while (err == -EAGAIN);
	if (err)
		return err;
	return owner ? -EAGAIN : 0;
}

int futex_lock(struct process *process, uint64_t address, uint64_t deadline, bool only_tries)
{
	struct futex_waiter waiter = futex_waiter_at(address, 0, FUTEX_ANY);
	struct futex_bucket *bucket = waiter.bucket;
	uint64_t flags = spin_lock(&bucket->lock);
	int err = claim(process, bucket, address, waiter.thread->id);
	bool waits = err == -EAGAIN && !only_tries, late;

	waiter.lock = address;
	if (waits)
		futex_append(bucket, &waiter);
	spin_unlock(&bucket->lock, flags);
	if (!waits)
		return err;
	late = futex_sleep(&waiter, 1, deadline);
	futex_dequeue(&waiter);
	if (waiter.woken)
		return 0;
	return late ? -ETIMEDOUT : -EINTR;
}

/*
 * From the thread `id` to who is next in line, if there is one: `link` leads to him. Others may follow him: that is for the
 * kernel to know. -EPERM: it is not that thread's; -EFAULT.
 */
static int hand_on(uint64_t address, uint32_t id, struct futex_waiter **link, uint32_t more)
{
	uint32_t wanted = *link ? (*link)->thread->id | FUTEX_HAS_WAITERS | more : 0;
	uint32_t value;
	int err;

	do {
		if (copy_from_user(&value, address, sizeof(value)))
			return -EFAULT;
		if ((value & FUTEX_OWNER) != id)
			return -EPERM;
		err = compare_and_swap_user(address, value, wanted);
	} while (err == -EAGAIN);
	if (!err && *link)
		futex_wake_at(link);
	return err;
}

int futex_unlock(struct process *process, uint64_t address)
{
	struct futex_bucket *bucket = futex_bucket_of(process, address);
	uint64_t flags = spin_lock(&bucket->lock);
	struct futex_waiter **link = futex_find(&bucket->first, process, address);
	int err = -EINVAL;

	if (!*link || (*link)->lock == address)
		err = hand_on(address, this_thread()->id, link, 0);
	spin_unlock(&bucket->lock, flags);
	return err;
}

int futex_wait_for_lock(uint64_t address, uint32_t expected, uint64_t deadline, uint64_t lock)
{
	struct futex_waiter waiter = futex_waiter_at(address, expected, FUTEX_ANY);
	bool late;
	int err;

	waiter.lock = lock;
	err = futex_enqueue(&waiter);
	if (err)
		return err;
	late = futex_sleep(&waiter, 1, deadline);
	futex_dequeue(&waiter);
	if (waiter.woken)
		return 0;
	if (late)
		return -ETIMEDOUT;
	return waiter.address == lock ? -EAGAIN : -EINTR;
}

int futex_requeue_for_lock(struct process *process, uint64_t address, uint32_t expected, uint64_t lock, uint32_t most)
{
	struct futex_bucket *from = futex_bucket_of(process, address), *to = futex_bucket_of(process, lock);
	uint64_t flags = futex_lock_two(from, to);
	struct futex_waiter **link = &from->first;
	uint32_t value, count = 0;
	int err = copy_from_user(&value, address, sizeof(value));

	if (!err && value != expected)
		err = -EAGAIN;
	while (!err && count <= most && *(link = futex_find(link, process, address))) {
		err = (*link)->lock == lock ? claim(process, to, lock, (*link)->thread->id) : -EINVAL;
		if (err == -EAGAIN) {
			futex_move(link, to, lock);
			err = 0;
		} else if (!err) {
			futex_wake_at(link);
		}
		count += !err;
	}
	futex_unlock_two(from, to, flags);
	return err ? err : (int)count;
}

void futex_owner_ended(struct process *process, uint32_t id)
{
	for (unsigned int i = 0; i < FUTEX_BUCKETS; i++) {
		uint64_t flags = spin_lock(&futex_buckets[i].lock);
		struct futex_waiter **link = &futex_buckets[i].first;

		while (*link) {
			const struct futex_waiter *waiter = *link;
			bool in_line = waiter->thread->process == process && waiter->lock == waiter->address;

			if (!in_line || hand_on(waiter->address, id, link, FUTEX_OWNER_DIED))
				link = &(*link)->next;
		}
		spin_unlock(&futex_buckets[i].lock, flags);
	}
}
