/* SPDX-License-Identifier: Apache-2.0 */
/* System calls by which threads wait for each other. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/futex_queue.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_LOCK_PI 6
#define FUTEX_UNLOCK_PI 7
#define FUTEX_TRYLOCK_PI 8
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI 12
#define FUTEX_LOCK_PI2 13
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1

/* ---- deadlines ---- */

/* 0, -EFAULT, -EINVAL. */
static int get_time(uint64_t from, uint64_t *ns)
{
	int64_t time[2];

	if (copy_from_user(time, from, sizeof(time)))
		return -EFAULT;
	if (time[0] < 0 || time[1] < 0 || time[1] >= (int64_t)NS_PER_S)
		return -EINVAL;
	*ns = MIN((uint64_t)time[0], INT64_MAX / NS_PER_S / 2) * NS_PER_S + time[1];
	return 0;
}

static int deadline_after_time(uint64_t from, uint64_t *deadline)
{
	uint64_t ns;
	int err = from ? get_time(from, &ns) : 0;

	*deadline = from && !err ? deadline_after(ns) : FUTEX_FOR_EVER;
	return err;
}

static int deadline_at_time(const struct process *process, uint64_t from, bool realtime, uint64_t *deadline)
{
	int64_t offset = realtime ? process->realtime_offset : process->monotonic_offset;
	uint64_t ns;
	int err = from ? get_time(from, &ns) : 0;

	*deadline = FUTEX_FOR_EVER;
	if (from && !err)
		*deadline = (int64_t)ns > offset ? ns - offset : 0;
	return err;
}

static bool asks_for_realtime(const struct call *call)
{
	return call->args[1] & FUTEX_CLOCK_REALTIME;
}

/* ---- waiting ---- */

static int64_t wait(const struct call *call)
{
	uint64_t deadline;
	int err = deadline_after_time(call->args[3], &deadline);

	return err ? err : futex_wait(call->args[0], call->args[2], deadline, FUTEX_ANY);
}

static int64_t wait_for_bits(const struct call *call)
{
	uint64_t deadline;
	int err = deadline_at_time(call->process, call->args[3], asks_for_realtime(call), &deadline);

	if (!(uint32_t)call->args[5])
		return -EINVAL;
	return err ? err : futex_wait(call->args[0], call->args[2], deadline, call->args[5]);
}

/* ---- waking ---- */

static bool compare(uint32_t how, uint32_t value, uint32_t with)
{
	switch (how) {
	case 0:
		return value == with;
	case 1:
		return value != with;
	case 2:
		return (int32_t)value < (int32_t)with;
	case 3:
		return (int32_t)value <= (int32_t)with;
	case 4:
		return (int32_t)value > (int32_t)with;
	default:
		return (int32_t)value >= (int32_t)with;
	}
}

static uint32_t operate(uint32_t how, uint32_t value, uint32_t with)
{
	switch (how) {
	case 0:
		return with;
	case 1:
		return value + with;
	case 2:
		return value | with;
	case 3:
		return value & ~with;
	default:
		return value ^ with;
	}
}

/* Changes the second int, wakes at the first, and at the second if its old value compares. */
static int64_t wake_after_operation(const struct call *call)
{
	uint32_t code = call->args[5], how = code >> 28 & 7, comparison = code >> 24 & 15;
	uint32_t operand = (int32_t)(code << 8) >> 20, with = (int32_t)(code << 20) >> 20;
	int woken, more = 0;
	uint32_t old;

	if (how > 4 || comparison > 5)
		return -ENOSYS;
	if (code & 8u << 28)
		operand = 1u << (operand & 31);
	do {
		if (copy_from_user(&old, call->args[4], sizeof(old)))
			return -EFAULT;
		woken = compare_and_swap_user(call->args[4], old, operate(how, old, operand));
	} while (woken == -EAGAIN);
	if (woken)
		return woken;
	woken = futex_wake(call->process, call->args[0], call->args[2], FUTEX_ANY);
	if (woken >= 0 && compare(comparison, old, with))
		more = futex_wake(call->process, call->args[4], call->args[3], FUTEX_ANY);
	return more < 0 ? more : woken + more;
}

static int64_t requeue(const struct call *call, bool compares)
{
	uint32_t expected = call->args[5];

	if ((int32_t)call->args[2] < 0 || (int32_t)call->args[3] < 0)
		return -EINVAL;
	return futex_requeue(call->process, call->args[0], call->args[2], call->args[4], call->args[3],
			     compares ? &expected : NULL);
}

/* ---- locks ---- */

/* As after a signal: the call is made anew, whatever the handler says of that. */
static int64_t anew_if_interrupted(int64_t result)
{
	return result == -EINTR ? CALL_ANEW : result;
}

static int64_t lock(const struct call *call, bool realtime)
{
	uint64_t deadline;
	int err = deadline_at_time(call->process, call->args[3], realtime, &deadline);

	return err ? err : anew_if_interrupted(futex_lock(call->process, call->args[0], deadline, false));
}

static int64_t wait_for_lock(const struct call *call)
{
	uint64_t deadline;
	int err = deadline_at_time(call->process, call->args[3], asks_for_realtime(call), &deadline);

	if (call->args[0] == call->args[4])
		return -EINVAL;
	if (err)
		return err;
	return anew_if_interrupted(futex_wait_for_lock(call->args[0], call->args[2], deadline, call->args[4]));
}

/* It wakes one at most: only one can have the lock. */
static int64_t requeue_for_lock(const struct call *call)
{
	if ((uint32_t)call->args[2] != 1 || (int32_t)call->args[3] < 0 || call->args[0] == call->args[4])
		return -EINVAL;
	return futex_requeue_for_lock(call->process, call->args[0], call->args[5], call->args[4], call->args[3]);
}

/* ---- the call ---- */

static int check_address(uint64_t address)
{
	if (address % sizeof(uint32_t))
		return -EINVAL;
	return address < IKC_USER_END ? 0 : -EFAULT;
}

static bool has_second_address(uint32_t operation)
{
	return operation == FUTEX_REQUEUE || operation == FUTEX_CMP_REQUEUE || operation == FUTEX_WAKE_OP ||
	       operation == FUTEX_WAIT_REQUEUE_PI || operation == FUTEX_CMP_REQUEUE_PI;
}

static bool may_ask_for_realtime(uint32_t operation)
{
	return operation == FUTEX_WAIT_BITSET || operation == FUTEX_WAIT_REQUEUE_PI || operation == FUTEX_LOCK_PI2;
}

static int64_t futex(const struct call *call, uint32_t operation)
{
	switch (operation) {
	case FUTEX_WAIT:
		return wait(call);
	case FUTEX_WAIT_BITSET:
		return wait_for_bits(call);
	case FUTEX_WAKE:
		return futex_wake(call->process, call->args[0], call->args[2], FUTEX_ANY);
	case FUTEX_WAKE_BITSET:
		return (uint32_t)call->args[5] ? futex_wake(call->process, call->args[0], call->args[2], call->args[5])
					       : -EINVAL;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(call, operation == FUTEX_CMP_REQUEUE);
	case FUTEX_WAKE_OP:
		return wake_after_operation(call);
	case FUTEX_LOCK_PI:
		return lock(call, true);
	case FUTEX_LOCK_PI2:
		return lock(call, asks_for_realtime(call));
	case FUTEX_TRYLOCK_PI:
		return futex_lock(call->process, call->args[0], FUTEX_FOR_EVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock(call->process, call->args[0]);
	case FUTEX_WAIT_REQUEUE_PI:
		return wait_for_lock(call);
	case FUTEX_CMP_REQUEUE_PI:
		return requeue_for_lock(call);
	default:
		return -ENOSYS;
	}
}

int64_t call_futex(struct call *call)
{
	uint32_t operation = call->args[1] & ~(uint64_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	int err = check_address(call->args[0]);

	if (asks_for_realtime(call) && !may_ask_for_realtime(operation))
		return -ENOSYS;
	if (!err && has_second_address(operation))
		err = check_address(call->args[4]);
	return err ? err : futex(call, operation);
}

/* ---- many at once ---- */

#define FUTEX2_SIZE_U32 2
#define FUTEX2_PRIVATE FUTEX_PRIVATE_FLAG

#define WAITERS_ORDER 1

_Static_assert(FUTEX_MANY_MAX * sizeof(struct futex_waiter) <= PAGE_SIZE << WAITERS_ORDER, "they fit in there");

struct many_entry {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

static int get_waiters(struct futex_waiter *waiters, uint64_t from, unsigned int count)
{
	struct many_entry entry;

	for (unsigned int i = 0; i < count; i++) {
		int err = copy_from_user(&entry, from + i * sizeof(entry), sizeof(entry));

		if (err)
			return err;
		if ((entry.flags & ~FUTEX2_PRIVATE) != FUTEX2_SIZE_U32 || entry.reserved)
			return -EINVAL;
		err = check_address(entry.address);
		if (err)
			return err;
		waiters[i] = futex_waiter_at(entry.address, entry.value, FUTEX_ANY);
	}
	return 0;
}

int64_t call_futex_waitv(struct call *call)
{
	uint32_t count = call->args[1], clock = call->args[4];
	uint64_t deadline;
	paddr_t waiters;
	int64_t result;

	if (call->args[2] || !count || count > FUTEX_MANY_MAX || !call->args[0])
		return -EINVAL;
	if (call->args[3] && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return -EINVAL;
	result = deadline_at_time(call->process, call->args[3], clock == CLOCK_REALTIME, &deadline);
	if (result)
		return result;
	waiters = page_alloc(WAITERS_ORDER, NODE_LOCAL, 0);
	if (!waiters)
		return -ENOMEM;
	result = get_waiters(phys_to_virt(waiters), call->args[0], count);
	if (!result)
		result = futex_wait_many(phys_to_virt(waiters), count, deadline);
	page_free(waiters, WAITERS_ORDER);
	return result;
}
