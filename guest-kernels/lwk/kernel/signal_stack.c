/* SPDX-License-Identifier: Apache-2.0 */
/* The alternate stack that a thread has for signal handlers. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/signal.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

#define STACK_LEAST 2048

/* One that is disarmed while a handler runs is never seen to be in use: the handler may leave it for good. */
bool signal_is_on_stack(const struct thread *thread, uint64_t address)
{
	const struct signal_stack *stack = &thread->signal_stack;

	return !(stack->flags & SS_AUTODISARM) && stack->size && address > stack->start &&
	       address - stack->start <= stack->size;
}

struct signal_stack signal_stack_now(const struct thread *thread, uint64_t stack_pointer)
{
	struct signal_stack stack = thread->signal_stack;

	stack.flags &= SS_AUTODISARM;
	if (!stack.size)
		stack.flags |= SS_DISABLE;
	else if (signal_is_on_stack(thread, stack_pointer))
		stack.flags |= SS_ONSTACK;
	return stack;
}

int signal_stack_set(struct thread *thread, uint64_t stack_pointer, const struct signal_stack *wanted)
{
	uint32_t mode = wanted->flags & ~SS_AUTODISARM;

	if (signal_is_on_stack(thread, stack_pointer))
		return -EPERM;
	if (mode && mode != SS_DISABLE && mode != SS_ONSTACK)
		return -EINVAL;
	if (mode != SS_DISABLE && wanted->size < STACK_LEAST)
		return -ENOMEM;
	thread->signal_stack = (struct signal_stack){ .flags = wanted->flags };
	if (mode != SS_DISABLE) {
		thread->signal_stack.start = wanted->start;
		thread->signal_stack.size = wanted->size;
	}
	return 0;
}

void signal_stack_disarm(struct thread *thread)
{
	if (thread->signal_stack.flags & SS_AUTODISARM)
		thread->signal_stack = (struct signal_stack){ .flags = SS_DISABLE };
}

int64_t call_sigaltstack(struct call *call)
{
	struct signal_stack old = signal_stack_now(call->thread, call->frame->rsp), wanted;
	int err = 0;

	if (call->args[0]) {
		err = copy_from_user(&wanted, call->args[0], sizeof(wanted));
		if (!err)
			err = signal_stack_set(call->thread, call->frame->rsp, &wanted);
	}
	return err || !call->args[1] ? err : copy_to_user(call->args[1], &old, sizeof(old));
}
