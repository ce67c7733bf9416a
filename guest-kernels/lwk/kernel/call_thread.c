/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that make threads, and let them wait for each other. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

#define CLONE_VM 0x100
#define CLONE_FS 0x200
#define CLONE_FILES 0x400
#define CLONE_SIGHAND 0x800
#define CLONE_THREAD 0x10000
#define CLONE_SETTLS 0x80000
#define CLONE_PARENT_SETTID 0x100000
#define CLONE_CHILD_CLEARTID 0x200000
#define CLONE_CHILD_SETTID 0x1000000
#define CLONE_OF_THREADS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE_FLAG 128
#define FUTEX_CLOCK_REALTIME 256

/* ---- clone ---- */

static int put_id(uint64_t to, uint32_t id)
{
	return copy_to_user(to, &id, sizeof(id));
}

/* As the one that calls, but for what clone(2) names: its stack, its thread-local storage, its number. */
static int begin_as_asked(const struct call *call, struct thread *thread)
{
	uint64_t flags = call->args[0];
	uint32_t id;
	int err;

	thread->signal_mask = call->thread->signal_mask;
	thread->policy = call->thread->policy;
	memcpy(thread->name, call->thread->name, sizeof(thread->name));
	thread->registers.fs_base = flags & CLONE_SETTLS ? call->args[4] : call->thread->registers.fs_base;
	thread->registers.gs_base = call->thread->registers.gs_base;
	thread->clear_on_exit = flags & CLONE_CHILD_CLEARTID ? call->args[3] : 0;
	err = process_add(call->process, thread);
	if (err)
		return err;
	id = thread->id; /* the thread may end as soon as it is woken, and is not before */
	if (flags & CLONE_PARENT_SETTID)
		put_id(call->args[2], id);
	if (flags & CLONE_CHILD_SETTID)
		put_id(call->args[3], id);
	return id;
}

int64_t call_clone(struct call *call)
{
	uint64_t flags = call->args[0];
	struct trap_frame frame = *call->frame;
	struct thread *thread;
	int64_t id;

	if ((flags & CLONE_OF_THREADS) != CLONE_OF_THREADS)
		return -ENOSYS; /* a process: not yet */
	if (call->args[1] > IKC_USER_END || (flags & CLONE_SETTLS && call->args[4] >= IKC_USER_END))
		return -EPERM;
	frame.rax = 0;
	frame.vector = 0;
	if (call->args[1])
		frame.rsp = call->args[1];
	thread = thread_new(call->process, &call->thread->cpus, &frame);
	if (!thread)
		return -EAGAIN;
	arch_thread_inherit(&thread->registers, &call->thread->registers);
	id = begin_as_asked(call, thread);
	if (id < 0)
		thread_discard(thread);
	else
		process_begin(call->process, thread->slot);
	return id;
}

/* ---- futex ---- */

/* The deadline by time_ns(). 0, -EFAULT, -EINVAL. */
static int deadline_of(const struct call *call, bool absolute, uint64_t *deadline)
{
	int64_t offset = call->args[1] & FUTEX_CLOCK_REALTIME ? call->process->realtime_offset
							      : call->process->monotonic_offset;
	int64_t time[2];

	*deadline = FUTEX_FOR_EVER;
	if (!call->args[3])
		return 0;
	if (copy_from_user(time, call->args[3], sizeof(time)))
		return -EFAULT;
	if (time[0] < 0 || time[1] < 0 || time[1] >= (int64_t)NS_PER_S)
		return -EINVAL;
	if (time[0] > (int64_t)(INT64_MAX / NS_PER_S / 2))
		return 0;
	*deadline = time[0] * NS_PER_S + time[1];
	if (!absolute)
		*deadline += time_ns();
	else
		*deadline = (int64_t)*deadline > offset ? *deadline - offset : 0;
	return 0;
}

static int64_t wait(const struct call *call, bool absolute, uint32_t bits)
{
	uint64_t deadline;
	int err = deadline_of(call, absolute, &deadline);

	if (!bits)
		return -EINVAL;
	return err ? err : futex_wait(call->process, call->args[0], call->args[2], deadline, bits);
}

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
	uint32_t old;
	int woken;

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
	if (compare(comparison, old, with))
		woken += futex_wake(call->process, call->args[4], call->args[3], FUTEX_ANY);
	return woken;
}

static int64_t requeue(const struct call *call, bool compares)
{
	uint32_t value;

	if (compares) {
		if (copy_from_user(&value, call->args[0], sizeof(value)))
			return -EFAULT;
		if (value != (uint32_t)call->args[5])
			return -EAGAIN;
	}
	return futex_requeue(call->process, call->args[0], call->args[2], call->args[4], call->args[3]);
}

int64_t call_futex(struct call *call)
{
	if (call->args[0] % sizeof(uint32_t))
		return -EINVAL;
	if (call->args[0] >= IKC_USER_END)
		return -EFAULT;
	switch (call->args[1] & ~(uint64_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
	case FUTEX_WAIT:
		return wait(call, false, FUTEX_ANY);
	case FUTEX_WAIT_BITSET:
		return wait(call, true, call->args[5]);
	case FUTEX_WAKE:
		return futex_wake(call->process, call->args[0], call->args[2], FUTEX_ANY);
	case FUTEX_WAKE_BITSET:
		return (uint32_t)call->args[5] ? futex_wake(call->process, call->args[0], call->args[2], call->args[5])
					       : -EINVAL;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		return requeue(call, (call->args[1] & 127) == FUTEX_CMP_REQUEUE);
	case FUTEX_WAKE_OP:
		return wake_after_operation(call);
	default:
		return -ENOSYS;
	}
}
