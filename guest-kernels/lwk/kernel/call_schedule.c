/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on a thread's policy and priority. Nothing here goes by them: a thread keeps its CPU as long as it
 * likes. They are kept, for who asks, as they would be on Linux.
 */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5
#define SCHED_RESET_ON_FORK 0x40000000u /* is nothing to threads that make no processes */

#define SCHED_DEADLINE 6 /* which nobody has here */

#define PRIORITY_MAX 99
#define NICE_MIN (-20)
#define NICE_MAX 19
#define RR_INTERVAL_MS 100 /* Linux' own, if nobody has changed it (sched(7)) */

#define SYSCALL_GETPRIORITY 140
#define SYSCALL_SETPRIORITY 141

/* As sched_setattr(2) has it; the first version ends before `least_use`. */
struct schedule_attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	int32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t least_use, most_use;
};

#define ATTRIBUTES_SIZE_MIN offsetof(struct schedule_attributes, least_use)
#define ATTRIBUTES_RESET_ON_FORK 1 /* the only flag that means anything here */

/* The least and the most that a policy has. False: there is no such policy. */
static bool priorities_of(uint32_t policy, int32_t *least, int32_t *most)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		*least = 1;
		*most = PRIORITY_MAX;
		return true;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		*least = *most = 0;
		return true;
	default:
		return false;
	}
}

static bool is_valid(const struct thread_schedule *schedule)
{
	uint32_t policy = schedule->policy & ~SCHED_RESET_ON_FORK;
	int32_t least, most;

	return policy != SCHED_DEADLINE && priorities_of(policy, &least, &most) && schedule->priority >= least &&
	       schedule->priority <= most;
}

static uint32_t id_of(const struct call *call)
{
	return call->args[0] ? call->args[0] : call->thread->id;
}

/* One of this process's threads; CALL_OFFLOAD: it is somebody else's, perhaps. */
static int64_t get(const struct call *call, struct thread_schedule *schedule)
{
	if ((int32_t)call->args[0] < 0)
		return -EINVAL;
	return process_get_schedule(call->process, id_of(call), schedule) ? CALL_OFFLOAD : 0;
}

static int64_t set(const struct call *call, const struct thread_schedule *schedule)
{
	return is_valid(schedule) ? process_set_schedule(call->process, id_of(call), schedule) : -EINVAL;
}

int64_t call_sched_setscheduler(struct call *call)
{
	struct thread_schedule schedule;
	int64_t result = get(call, &schedule);

	if (result)
		return result;
	if (!call->args[2] || (int32_t)call->args[1] < 0)
		return -EINVAL;
	if (copy_from_user(&schedule.priority, call->args[2], sizeof(schedule.priority)))
		return -EFAULT;
	schedule.policy = call->args[1];
	return set(call, &schedule);
}

int64_t call_sched_setparam(struct call *call)
{
	struct thread_schedule schedule;
	int64_t result = get(call, &schedule);

	if (result)
		return result;
	if (!call->args[1])
		return -EINVAL;
	if (copy_from_user(&schedule.priority, call->args[1], sizeof(schedule.priority)))
		return -EFAULT;
	return set(call, &schedule);
}

int64_t call_sched_getscheduler(struct call *call)
{
	struct thread_schedule schedule;
	int64_t result = get(call, &schedule);

	return result ? result : schedule.policy;
}

int64_t call_sched_getparam(struct call *call)
{
	struct thread_schedule schedule;
	int64_t result = get(call, &schedule);

	if (result)
		return result;
	if (!call->args[1])
		return -EINVAL;
	return copy_to_user(call->args[1], &schedule.priority, sizeof(schedule.priority));
}

int64_t call_sched_get_priority_max(struct call *call)
{
	int32_t least, most;

	return priorities_of(call->args[0], &least, &most) ? most : -EINVAL;
}

int64_t call_sched_get_priority_min(struct call *call)
{
	int32_t least, most;

	return priorities_of(call->args[0], &least, &most) ? least : -EINVAL;
}

/* As on Linux 0 where there is none, or nobody else to give way to. */
int64_t call_sched_rr_get_interval(struct call *call)
{
	struct thread_schedule schedule;
	uint64_t interval[2] = { 0 };
	int64_t result = get(call, &schedule);

	if (result)
		return result;
	if ((schedule.policy & ~SCHED_RESET_ON_FORK) == SCHED_RR)
		interval[1] = RR_INTERVAL_MS * NS_PER_MS;
	return copy_to_user(call->args[1], interval, sizeof(interval));
}

/* How nice a program is to others is Linux' business: its proxy is. */
static int64_t ask_for_niceness(const struct call *call, uint64_t number, int64_t niceness)
{
	struct call asked = *call;

	asked.number = number;
	asked.args[0] = 0; /* of a process; */
	asked.args[1] = 0; /* this one */
	asked.args[2] = niceness;
	return offload(&asked);
}

int64_t call_sched_getattr(struct call *call)
{
	struct schedule_attributes told = { .size = MIN(call->args[2], sizeof(told)) };
	struct thread_schedule schedule;
	int64_t result;

	if (!call->args[1] || call->args[2] < ATTRIBUTES_SIZE_MIN || call->args[2] > PAGE_SIZE || call->args[3])
		return -EINVAL;
	result = get(call, &schedule);
	if (result)
		return result;
	told.policy = schedule.policy & ~SCHED_RESET_ON_FORK;
	told.flags = schedule.policy & SCHED_RESET_ON_FORK ? ATTRIBUTES_RESET_ON_FORK : 0;
	told.priority = schedule.priority;
	if (!told.priority) {
		result = ask_for_niceness(call, SYSCALL_GETPRIORITY, 0);
		if (result < 0)
			return result;
		told.nice = NICE_MAX + 1 - result; /* it is told as a positive number */
	}
	return copy_to_user(call->args[1], &told, told.size);
}

/* What a later version has behind what is known here has to be zero. -E2BIG: how much is known here is told. */
static int copy_attributes(uint64_t from, struct schedule_attributes *wanted)
{
	uint32_t size, known = sizeof(*wanted);
	uint64_t rest = 0;

	if (copy_from_user(&size, from, sizeof(size)))
		return -EFAULT;
	if (!size)
		size = ATTRIBUTES_SIZE_MIN;
	if (size < ATTRIBUTES_SIZE_MIN || size > PAGE_SIZE) {
		if (copy_to_user(from, &known, sizeof(known)))
			return -EFAULT;
		return -E2BIG;
	}
	if (copy_from_user(wanted, from, MIN(size, sizeof(*wanted))))
		return -EFAULT;
	for (uint32_t at = sizeof(*wanted); at < size; at += MIN(size - at, sizeof(rest))) {
		if (copy_from_user(&rest, from + at, MIN(size - at, sizeof(rest))))
			return -EFAULT;
		if (rest)
			return -E2BIG;
	}
	return 0;
}

int64_t call_sched_setattr(struct call *call)
{
	struct schedule_attributes wanted = { 0 };
	struct thread_schedule schedule;
	int64_t result;
	int err;

	if (!call->args[1] || (int32_t)call->args[0] < 0 || call->args[2])
		return -EINVAL;
	err = copy_attributes(call->args[1], &wanted);
	if (err)
		return err;
	if (wanted.flags & ~(uint64_t)ATTRIBUTES_RESET_ON_FORK)
		return -EINVAL;
	result = get(call, &schedule);
	if (result)
		return result;
	schedule.policy = wanted.policy | (wanted.flags ? SCHED_RESET_ON_FORK : 0);
	schedule.priority = wanted.priority;
	if (!is_valid(&schedule))
		return -EINVAL;
	if (wanted.policy == SCHED_OTHER || wanted.policy == SCHED_BATCH) {
		result = ask_for_niceness(call, SYSCALL_SETPRIORITY, MAX(NICE_MIN, MIN(wanted.nice, NICE_MAX)));
		if (result)
			return result == -EACCES ? -EPERM : result;
	}
	return set(call, &schedule);
}
