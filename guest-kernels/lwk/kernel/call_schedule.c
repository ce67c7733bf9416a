/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on a thread's policy and priority. Nothing here goes by them: a thread keeps its CPU as long as it
 * likes. They are kept, for who asks, as they would be on Linux.
 */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/user_copy.h>

#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5
#define SCHED_RESET_ON_FORK 0x40000000u /* is nothing to threads that make no processes */

#define PRIORITY_MAX 99

static bool is_valid(const struct thread_schedule *schedule)
{
	switch (schedule->policy & ~SCHED_RESET_ON_FORK) {
	case SCHED_FIFO:
	case SCHED_RR:
		return schedule->priority >= 1 && schedule->priority <= PRIORITY_MAX;
	case SCHED_OTHER:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return schedule->priority == 0;
	default:
		return false;
	}
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
