/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that make threads. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/string.h>
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
	thread->schedule = call->thread->schedule;
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
