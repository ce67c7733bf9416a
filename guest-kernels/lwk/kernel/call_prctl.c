/* SPDX-License-Identifier: Apache-2.0 */
/* prctl: what is a thread's own is answered here, for the proxy makes each call by any of its threads. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/string.h>
#include <lwk/user_copy.h>

#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_SET_SECCOMP 22
#define PR_SET_TSC 26
#define PR_SET_MM 35
#define PR_GET_TID_ADDRESS 40
#define PR_SET_SYSCALL_USER_DISPATCH 59

static bool is_first(const struct thread *thread)
{
	return thread->id == thread->process->id;
}

/* As much as there is room for. Linux shows the first thread's name as the process's: the proxy is told of it. */
static int64_t set_name(struct thread *thread, uint64_t from)
{
	char name[THREAD_NAME_SIZE] = { 0 };

	for (unsigned int i = 0; i < sizeof(name) - 1; i++) {
		if (copy_from_user(&name[i], from + i, 1))
			return -EFAULT;
		if (!name[i])
			break;
	}
	memcpy(thread->name, name, sizeof(name));
	return is_first(thread) ? CALL_OFFLOAD : 0;
}

static int64_t get_name(const struct thread *thread, uint64_t to)
{
	return thread->name[0] ? copy_to_user(to, thread->name, sizeof(thread->name)) : CALL_OFFLOAD;
}

int64_t call_prctl(struct call *call)
{
	struct thread *thread = call->thread;

	switch ((uint32_t)call->args[0]) {
	case PR_SET_NAME:
		return set_name(thread, call->args[1]);
	case PR_GET_NAME:
		return get_name(thread, call->args[1]);
	case PR_GET_TID_ADDRESS:
		return copy_to_user(call->args[1], &thread->clear_on_exit, sizeof(thread->clear_on_exit));
	case PR_SET_MM: /* these would change the proxy */
	case PR_SET_SECCOMP:
	case PR_SET_SYSCALL_USER_DISPATCH:
	case PR_SET_TSC:
		return -EINVAL;
	default:
		return CALL_OFFLOAD;
	}
}
