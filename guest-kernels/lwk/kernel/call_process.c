/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on processes and threads. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/user_copy.h>

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

#define RLIMIT_STACK 3

struct rlimit {
	uint64_t soft;
	uint64_t hard;
};

static uint32_t exit_status(const struct call *call)
{
	return (call->args[0] & 0xff) << 8;
}

int64_t call_exit(struct call *call)
{
	call->thread->exit_status = exit_status(call);
	process_leave();
}

int64_t call_exit_group(struct call *call)
{
	process_end(call->process, exit_status(call));
	return 0; /* to nobody: the thread leaves before user mode */
}

int64_t call_getpid(struct call *call)
{
	return call->process->id;
}

int64_t call_gettid(struct call *call)
{
	return call->thread->id;
}

int64_t call_set_tid_address(struct call *call)
{
	call->thread->clear_on_exit = call->args[0];
	return call->thread->id;
}

int64_t call_set_robust_list(struct call *call)
{
	if (call->args[1] != ROBUST_LIST_SIZE)
		return -EINVAL;
	call->thread->robust_list = call->args[0];
	return 0;
}

int64_t call_arch_prctl(struct call *call)
{
	struct arch_thread *registers = &call->thread->registers;
	uint64_t value = call->args[1];

	switch (call->args[0]) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (value >= IKC_USER_END)
			return -EPERM;
		interrupts_disable();
		if (call->args[0] == ARCH_SET_FS)
			arch_thread_set_fs_base(registers, value);
		else
			arch_thread_set_gs_base(registers, value);
		interrupts_enable();
		return 0;
	case ARCH_GET_FS:
		return copy_to_user(value, &registers->fs_base, sizeof(registers->fs_base));
	case ARCH_GET_GS:
		return copy_to_user(value, &registers->gs_base, sizeof(registers->gs_base));
	default:
		return -EINVAL;
	}
}

/* ---- CPUs ---- */

int64_t call_sched_yield(struct call *call)
{
	(void)call;
	thread_yield();
	return 0;
}

int64_t call_getcpu(struct call *call)
{
	uint32_t cpu_id = call->thread->cpu_id, node = cpus[cpu_id]->node;
	int err = 0;

	if (call->args[0])
		err = copy_to_user(call->args[0], &cpu_id, sizeof(cpu_id));
	if (!err && call->args[1])
		err = copy_to_user(call->args[1], &node, sizeof(node));
	return err;
}

static bool is_own(const struct call *call, uint64_t id)
{
	return !id || (uint32_t)id == call->thread->id || (uint32_t)id == call->process->id;
}

/* Of those that run; the bytes that were written. */
int64_t call_sched_getaffinity(struct call *call)
{
	uint32_t id = call->args[0] ? call->args[0] : call->thread->id;
	uint64_t size = ALIGN_UP(cpu_count, 64) / 8;
	struct cpu_set set;

	if (process_get_cpus(call->process, id, &set))
		return CALL_OFFLOAD;
	if (call->args[1] < size || call->args[1] % 8)
		return -EINVAL;
	for (unsigned int cpu_id = 0; cpu_id < MAX_CPUS; cpu_id++)
		if (cpu_id >= cpu_count || !cpus[cpu_id]->online)
			set.words[cpu_id / 64] &= ~(1ul << cpu_id % 64);
	return copy_to_user(call->args[2], &set, size) ? -EFAULT : (int64_t)size;
}

int64_t call_sched_setaffinity(struct call *call)
{
	uint32_t id = call->args[0] ? call->args[0] : call->thread->id;
	struct cpu_set set = { 0 };
	int err;

	if (process_get_cpus(call->process, id, &set))
		return CALL_OFFLOAD;
	set = (struct cpu_set){ 0 };
	err = copy_from_user(&set, call->args[2], MIN(call->args[1], sizeof(set)));
	if (err)
		return err;
	return cpu_set_is_useful(&set) ? process_set_cpus(call->process, id, &set) : -EINVAL;
}

/* ---- limits ---- */

/* The first thread's stack stays as it is. Nobody gets a higher limit than he has: there is no more of it. */
static int64_t set_stack_limit(struct process *process, const struct rlimit *limit)
{
	int64_t result = 0;
	uint64_t flags;

	if (limit->soft > limit->hard)
		return -EINVAL;
	flags = spin_lock(&process->lock);
	if (limit->hard > process->stack_limit[1]) {
		result = -EPERM;
	} else {
		process->stack_limit[0] = limit->soft;
		process->stack_limit[1] = limit->hard;
	}
	spin_unlock(&process->lock, flags);
	return result;
}

/* Tells the limit at `to` and sets it to what is at `from`; 0: does not. */
static int64_t stack_limit(struct process *process, uint64_t from, uint64_t to)
{
	uint64_t flags = spin_lock(&process->lock);
	struct rlimit limit, old = { process->stack_limit[0], process->stack_limit[1] };
	int64_t result = 0;

	spin_unlock(&process->lock, flags);
	if (from)
		result = copy_from_user(&limit, from, sizeof(limit));
	if (from && !result)
		result = set_stack_limit(process, &limit);
	return result || !to ? result : copy_to_user(to, &old, sizeof(old));
}

int64_t call_getrlimit(struct call *call)
{
	if (call->args[0] != RLIMIT_STACK)
		return CALL_OFFLOAD;
	return call->args[1] ? stack_limit(call->process, 0, call->args[1]) : -EFAULT;
}

int64_t call_setrlimit(struct call *call)
{
	if (call->args[0] != RLIMIT_STACK)
		return CALL_OFFLOAD;
	return call->args[1] ? stack_limit(call->process, call->args[1], 0) : -EFAULT;
}

int64_t call_prlimit64(struct call *call)
{
	if (call->args[1] != RLIMIT_STACK || !is_own(call, call->args[0]))
		return CALL_OFFLOAD;
	return stack_limit(call->process, call->args[2], call->args[3]);
}
