/* SPDX-License-Identifier: Apache-2.0 */
/* Futexes: waiting, waking, and waiting elsewhere. */
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/futex_queue.h>
#include <lwk/user_copy.h>

/* All of them; the last that was woken, or -1. */
static int dequeue_all(struct futex_waiter *waiters, unsigned int count)
{
	int woken = -1;

	for (unsigned int i = 0; i < count; i++) {
		futex_dequeue(&waiters[i]);
		if (waiters[i].woken)
			woken = i;
	}
	return woken;
}

int futex_wait_many(struct futex_waiter *waiters, unsigned int count, uint64_t deadline)
{
	unsigned int queued = 0;
	bool late = false;
	int err = 0, woken;

	while (queued < count && !(err = futex_enqueue(&waiters[queued])))
		queued++;
	if (!err)
		late = futex_sleep(waiters, count, deadline);
	woken = dequeue_all(waiters, queued);
	if (woken >= 0)
		return woken;
	if (err)
		return err;
	return late ? -ETIMEDOUT : -EINTR;
}

int futex_wait(uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits)
{
	struct futex_waiter waiter = futex_waiter_at(address, expected, bits);

	return futex_wait_many(&waiter, 1, deadline);
}

int futex_wake(struct process *process, uint64_t address, uint32_t most, uint32_t bits)
{
	struct futex_bucket *bucket = futex_bucket_of(process, address);
	uint64_t flags = spin_lock(&bucket->lock);
	struct futex_waiter **link = &bucket->first;
	uint32_t woken = 0;
	int err = 0;

	while (woken < most && *(link = futex_find(link, process, address))) {
		if ((*link)->lock) {
			err = -EINVAL;
			break;
		}
		if ((*link)->bits & bits) {
			futex_wake_at(link);
			woken++;
		} else {
			link = &(*link)->next;
		}
	}
	spin_unlock(&bucket->lock, flags);
	return err ? err : (int)woken;
}

static int check(uint64_t address, const uint32_t *expected)
{
	uint32_t value;

	if (!expected)
		return 0;
	if (copy_from_user(&value, address, sizeof(value)))
		return -EFAULT;
	return value == *expected ? 0 : -EAGAIN;
}

int futex_requeue(struct process *process, uint64_t address, uint32_t most, uint64_t other, uint32_t most_moved,
		  const uint32_t *expected)
{
	struct futex_bucket *from = futex_bucket_of(process, address), *to = futex_bucket_of(process, other);
	uint64_t flags = futex_lock_two(from, to), all = (uint64_t)most + most_moved;
	struct futex_waiter **link = &from->first;
	uint32_t count = 0;
	int err = check(address, expected);

	while (!err && count < all && *(link = futex_find(link, process, address))) {
		if ((*link)->lock) {
			err = -EINVAL;
			break;
		}
		if (count++ < most)
			futex_wake_at(link);
		else if (address != other)
			futex_move(link, to, other);
		else
			link = &(*link)->next;
	}
	futex_unlock_two(from, to, flags);
	return err ? err : (int)count;
}
