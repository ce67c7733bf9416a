/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on signals. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/signal.h>
#include <lwk/sleep.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SI_TKILL (-6)

int64_t call_rt_sigaction(struct call *call)
{
	struct process *process = call->process;
	struct signal_action wanted = { 0 }, old;
	uint64_t number = call->args[0], flags;

	if (number < 1 || number > SIGNALS || call->args[3] != sizeof(uint64_t))
		return -EINVAL;
	if (call->args[1] && (number == SIGKILL || number == SIGSTOP))
		return -EINVAL;
	if (call->args[1] && copy_from_user(&wanted, call->args[1], sizeof(wanted)))
		return -EFAULT;
	flags = spin_lock(&process->lock);
	old = process->actions[number - 1];
	if (call->args[1])
		process->actions[number - 1] = wanted;
	spin_unlock(&process->lock, flags);
	return call->args[2] ? copy_to_user(call->args[2], &old, sizeof(old)) : 0;
}

int64_t call_rt_sigprocmask(struct call *call)
{
	uint64_t set, old = call->thread->signal_mask;

	if (call->args[3] != sizeof(set))
		return -EINVAL;
	if (call->args[1]) {
		if (copy_from_user(&set, call->args[1], sizeof(set)))
			return -EFAULT;
		switch (call->args[0]) {
		case SIG_BLOCK:
			signal_set_mask(old | set);
			break;
		case SIG_UNBLOCK:
			signal_set_mask(old & ~set);
			break;
		case SIG_SETMASK:
			signal_set_mask(set);
			break;
		default:
			return -EINVAL;
		}
	}
	return call->args[2] ? copy_to_user(call->args[2], &old, sizeof(old)) : 0;
}

/* What it returns is what the interrupted code had in %rax. */
int64_t call_rt_sigreturn(struct call *call)
{
	static const struct signal_cause cause = { .code = SI_KERNEL };
	uint64_t mask;

	if (signal_frame_pop(call->thread, call->frame, &mask)) {
		signal_fault(call->frame, SIGSEGV, &cause);
		return 0;
	}
	signal_set_mask(mask);
	return call->frame->rax;
}

int64_t call_rt_sigpending(struct call *call)
{
	uint64_t pending = (__atomic_load_n(&call->thread->pending, __ATOMIC_RELAXED) |
			    __atomic_load_n(&call->process->pending, __ATOMIC_RELAXED)) &
			   call->thread->signal_mask;

	return call->args[1] > sizeof(pending) ? -EINVAL : copy_to_user(call->args[0], &pending, call->args[1]);
}

int64_t call_rt_sigsuspend(struct call *call)
{
	struct thread *thread = call->thread;
	uint64_t mask;

	if (call->args[1] != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, call->args[0], sizeof(mask)))
		return -EFAULT;
	thread->saved_mask = thread->signal_mask;
	thread->restores_mask = true;
	signal_set_mask(mask);
	while (!signal_is_due(thread) && !process_is_ending(call->process))
		thread_wait();
	return -EINTR;
}

/* The deadline by time_ns(), of a time from now on; UINT64_MAX: none. */
static int deadline_of(uint64_t from, uint64_t *deadline)
{
	int64_t time[2];

	*deadline = UINT64_MAX;
	if (!from)
		return 0;
	if (copy_from_user(time, from, sizeof(time)))
		return -EFAULT;
	if (time[0] < 0 || time[1] < 0 || time[1] >= (int64_t)NS_PER_S)
		return -EINVAL;
	if (time[0] < (int64_t)(INT64_MAX / NS_PER_S / 2))
		*deadline = deadline_after(time[0] * NS_PER_S + time[1]);
	return 0;
}

/* Who waits here has blocked them, so that no handler takes them. */
int64_t call_rt_sigtimedwait(struct call *call)
{
	struct thread *thread = call->thread;
	struct sleeper sleeper = { 0 };
	struct signal_cause cause;
	uint64_t set, deadline;
	uint32_t number;
	int err = deadline_of(call->args[2], &deadline);

	if (call->args[3] != sizeof(set))
		return -EINVAL;
	if (err || copy_from_user(&set, call->args[0], sizeof(set)))
		return err ? err : -EFAULT;
	if (deadline != UINT64_MAX)
		sleep_begin(&sleeper, deadline);
	signal_await(set);
	while (!(number = signal_take(thread, set & ~SIGNALS_UNBLOCKABLE, &cause)) && !sleep_is_over(&sleeper) &&
	       !signal_is_due(thread) && !process_is_ending(call->process))
		thread_wait();
	signal_await(0);
	if (deadline != UINT64_MAX)
		sleep_end(&sleeper);
	if (!number)
		return sleep_is_over(&sleeper) ? -EAGAIN : -EINTR;
	return call->args[1] && signal_put_info(call->args[1], number, &cause) ? -EFAULT : (int64_t)number;
}

/* As rt_sigsuspend with the mask as it is. */
int64_t call_pause(struct call *call)
{
	while (!signal_is_due(call->thread) && !process_is_ending(call->process))
		thread_wait();
	return -EINTR;
}

static struct signal_cause own_cause(const struct call *call, int32_t code)
{
	return (struct signal_cause){ .code = code, .pid = call->process->id };
}

int64_t call_kill(struct call *call)
{
	struct signal_cause cause = own_cause(call, SI_USER);

	if ((uint32_t)call->args[0] != call->process->id)
		return CALL_OFFLOAD;
	if (call->args[1] > SIGNALS)
		return -EINVAL;
	return call->args[1] ? signal_process(call->process, call->args[1], &cause) : 0;
}

/* One of this process. -ESRCH: there is none of that number. */
static int64_t signal_one(const struct call *call, uint32_t id, uint64_t number)
{
	struct signal_cause cause = own_cause(call, SI_TKILL);

	if (number > SIGNALS)
		return -EINVAL;
	return process_signal_thread(call->process, id, number, &cause);
}

/* What a program wants to be told with a signal to itself, which may be anything. CALL_OFFLOAD: it is for another process. */
static int64_t get_cause(const struct call *call, uint64_t number, uint64_t info, struct signal_cause *cause)
{
	if ((uint32_t)call->args[0] != call->process->id)
		return CALL_OFFLOAD;
	if (signal_get_info(info, cause))
		return -EFAULT;
	return number > SIGNALS ? -EINVAL : 0;
}

int64_t call_rt_sigqueueinfo(struct call *call)
{
	struct signal_cause cause;
	int64_t result = get_cause(call, call->args[1], call->args[2], &cause);

	if (result || !call->args[1])
		return result;
	return signal_process(call->process, call->args[1], &cause);
}

int64_t call_rt_tgsigqueueinfo(struct call *call)
{
	struct signal_cause cause;
	int64_t result = get_cause(call, call->args[2], call->args[3], &cause);

	return result ? result : process_signal_thread(call->process, call->args[1], call->args[2], &cause);
}

int64_t call_tkill(struct call *call)
{
	int64_t result = signal_one(call, call->args[0], call->args[1]);

	return result == -ESRCH ? CALL_OFFLOAD : result;
}

int64_t call_tgkill(struct call *call)
{
	if ((uint32_t)call->args[0] != call->process->id)
		return CALL_OFFLOAD;
	return signal_one(call, call->args[1], call->args[2]);
}
