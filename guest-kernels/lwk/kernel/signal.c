/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: pending, and delivered. */
#include <lwk/errno.h>
#include <lwk/log.h>
#include <lwk/process.h>
#include <lwk/signal_queue.h>
#include <lwk/syscall.h>
#include <lwk/thread.h>

#define IGNORED_BY_DEFAULT                                                                         \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))

#define STOPS_BY_DEFAULT (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))

#define SYSCALL_KILL 62

#define SEGV_MAPERR 1
#define FPE_INTDIV 1
#define ILL_ILLOPN 2

static bool is_ignored(const struct signal_action *action, uint32_t number)
{
	return action->handler == SIG_IGN ||
	       (action->handler == SIG_DFL && IGNORED_BY_DEFAULT & SIGNAL_BIT(number));
}

/* ---- pending ---- */

HOT bool signal_is_due(const struct thread *thread)
{
	uint64_t pending = __atomic_load_n(&thread->pending, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&thread->alerted, __ATOMIC_ACQUIRE))
		pending |= __atomic_load_n(&thread->process->pending, __ATOMIC_ACQUIRE);
	return pending & ~thread->signal_mask;
}

/* Those that it would take. */
static uint64_t taken_by(const struct thread *thread)
{
	return ~__atomic_load_n(&thread->signal_mask, __ATOMIC_RELAXED) |
	       __atomic_load_n(&thread->awaited, __ATOMIC_RELAXED);
}

/* Under the lock. Who will come by for others comes last: it may be late. NULL: all block it. */
static struct thread *best_for(struct process *process, uint64_t bit)
{
	uint64_t others = process->pending & ~bit;
	struct thread *second = NULL;

	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX; slot++) {
		struct thread *thread = process->threads[slot];

		if (!thread || !(taken_by(thread) & bit))
			continue;
		if (!thread->alerted || !(others & taken_by(thread)))
			return thread;
		if (!second)
			second = thread;
	}
	return second;
}

/* Under the lock. */
static void alert(struct process *process, uint64_t bit)
{
	struct thread *thread = best_for(process, bit);

	if (!thread)
		return;
	__atomic_store_n(&thread->alerted, true, __ATOMIC_RELEASE);
	thread_wake(thread);
}

/* Under the lock. For each of the set. */
static void alert_for(struct process *process, uint64_t set)
{
	for (; set; set &= set - 1)
		alert(process, set & -set);
}

/* Under the lock. */
static void alert_as_needed(struct thread *thread)
{
	__atomic_store_n(&thread->alerted, thread->process->pending & taken_by(thread), __ATOMIC_RELEASE);
}

void signal_pass_on(const struct thread *thread)
{
	signal_queue_drop(thread->process->signals, thread, ~0ul);
	if (thread->alerted)
		alert_for(thread->process, thread->process->pending & taken_by(thread));
}

/* Whoever makes one pending just now sees what is written here, or is seen to. */
static void take_others(struct thread *thread, uint64_t mask, uint64_t awaited)
{
	struct process *process = thread->process;
	uint64_t before = taken_by(thread), flags;

	__atomic_store_n(&thread->awaited, awaited, __ATOMIC_RELAXED);
	__atomic_store_n(&thread->signal_mask, mask, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&process->pending, __ATOMIC_SEQ_CST))
		return;
	flags = spin_lock(&process->lock);
	if (thread->alerted)
		alert_for(process, process->pending & before & ~taken_by(thread));
	alert_as_needed(thread);
	spin_unlock(&process->lock, flags);
}

void signal_set_mask(uint64_t mask)
{
	take_others(this_thread(), mask & ~SIGNALS_UNBLOCKABLE, 0);
}

void signal_await(uint64_t set)
{
	take_others(this_thread(), this_thread()->signal_mask, set);
}

/* What stops and what continues undo each other. Under the lock. */
static void forget_opposite(struct process *process, uint32_t number)
{
	if (number == SIGCONT) {
		__atomic_and_fetch(&process->pending, ~STOPS_BY_DEFAULT, __ATOMIC_RELAXED);
		signal_queue_drop(process->signals, NULL, STOPS_BY_DEFAULT);
		process->stopped = false;
		process_wake_all(process);
	} else if (STOPS_BY_DEFAULT & SIGNAL_BIT(number)) {
		__atomic_and_fetch(&process->pending, ~SIGNAL_BIT(SIGCONT), __ATOMIC_RELAXED);
		signal_queue_drop(process->signals, NULL, SIGNAL_BIT(SIGCONT));
	}
}

/*
 * Under the lock; `thread`: for it alone, else NULL. 1: it is one more that is pending; 0: it goes with one that is. Without room a
 * real-time signal is refused (-EAGAIN), unless kill(2) sends it; all else is pending without what is to be told of it.
 */
static int queue(struct process *process, const struct thread *thread, uint64_t pending, uint32_t number,
		 const struct signal_cause *cause)
{
	bool is_pending = pending & SIGNAL_BIT(number);

	if (is_pending && number < SIGNAL_REAL_TIME)
		return 0;
	if (!signal_queue_add(process->signals, thread, number, cause) && number >= SIGNAL_REAL_TIME &&
	    cause->code != SI_USER)
		return -EAGAIN;
	return 1;
}

/* Under the lock. */
static int post(struct process *process, uint32_t number, const struct signal_cause *cause)
{
	uint64_t bit = SIGNAL_BIT(number);
	int more;

	forget_opposite(process, number);
	if (is_ignored(&process->actions[number - 1], number))
		return 0;
	more = queue(process, NULL, process->pending, number, cause);
	if (more <= 0)
		return more;
	__atomic_or_fetch(&process->pending, bit, __ATOMIC_SEQ_CST);
	alert(process, bit);
	return 0;
}

int signal_process(struct process *process, uint32_t number, const struct signal_cause *cause)
{
	uint64_t flags;
	int err;

	if (number == SIGKILL) {
		process_end(process, SIGKILL);
		return 0;
	}
	flags = spin_lock(&process->lock);
	err = post(process, number, cause);
	spin_unlock(&process->lock, flags);
	return err;
}

void signal_by_proxy(struct process *process, uint32_t slot, uint32_t number, const struct signal_cause *cause)
{
	uint64_t flags = spin_lock(&process->lock);
	struct thread *thread = slot < PROCESS_THREADS_MAX ? process->threads[slot] : NULL;

	process->continued += number == SIGCONT;
	if (thread)
		signal_thread(thread, number, cause);
	else
		post(process, number, cause);
	spin_unlock(&process->lock, flags);
}

int signal_thread(struct thread *thread, uint32_t number, const struct signal_cause *cause)
{
	int more;

	if (is_ignored(&thread->process->actions[number - 1], number))
		return 0;
	more = queue(thread->process, thread, thread->pending, number, cause);
	if (more <= 0)
		return more;
	__atomic_or_fetch(&thread->pending, SIGNAL_BIT(number), __ATOMIC_RELEASE);
	thread_wake(thread);
	return 0;
}

/* One of a set, under the lock: another thread may be about to take the same. 0: none. */
static uint32_t take(struct thread *thread, uint64_t set, struct signal_cause *cause)
{
	struct process *process = thread->process;
	uint64_t own = thread->pending & set;
	uint64_t shared = process->pending & set;
	uint32_t number = 0;

	if (own) {
		number = __builtin_ctzl(own) + 1;
		if (!signal_queue_take(process->signals, thread, number, cause))
			__atomic_and_fetch(&thread->pending, ~SIGNAL_BIT(number), __ATOMIC_RELAXED);
	} else if (shared) {
		number = __builtin_ctzl(shared) + 1;
		if (!signal_queue_take(process->signals, NULL, number, cause))
			__atomic_and_fetch(&process->pending, ~SIGNAL_BIT(number), __ATOMIC_RELAXED);
	}
	alert_as_needed(thread);
	return number;
}

uint32_t signal_take(struct thread *thread, uint64_t set, struct signal_cause *cause)
{
	uint64_t flags = spin_lock(&thread->process->lock);
	uint32_t number = take(thread, set, cause);

	spin_unlock(&thread->process->lock, flags);
	return number;
}

/* ---- stopped ---- */

/* Under the lock. */
static void set_stopped(struct process *process, bool stopped)
{
	__atomic_store_n(&process->stopped, stopped, __ATOMIC_RELEASE);
	process_wake_all(process);
}

void signal_set_stopped(struct process *process, bool stopped)
{
	uint64_t flags = spin_lock(&process->lock);

	set_stopped(process, stopped);
	spin_unlock(&process->lock, flags);
}

/*
 * The proxy stops before it can answer, unless it has had another SIGCONT meanwhile. No signal interrupts that: none is taken
 * before both go on.
 */
static void stop_proxy(uint64_t continued)
{
	struct thread *thread = this_thread();
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_CALL,
		.number = SYSCALL_KILL,
		.words = { thread->process->id, SIGSTOP, continued },
	};
	bool interrupted = thread->interrupted;

	thread->interrupted = true;
	process_ask(&message, true);
	thread->interrupted = interrupted;
}

/* ---- delivered ---- */

/* The mask that holds again after the handler. */
static uint64_t mask_to_restore(struct thread *thread)
{
	if (!thread->restores_mask)
		return thread->signal_mask;
	thread->restores_mask = false;
	return thread->saved_mask;
}

static void call_handler(struct trap_frame *frame, uint32_t number, const struct signal_action *action,
			 const struct signal_cause *cause)
{
	struct thread *thread = this_thread();
	uint64_t mask = mask_to_restore(thread);

	if (signal_frame_push(thread, frame, number, action, cause, mask)) {
		process_end(thread->process, SIGSEGV); /* no stack to tell it on */
		return;
	}
	mask = thread->signal_mask | action->mask;
	if (!(action->flags & SA_NODEFER))
		mask |= SIGNAL_BIT(number);
	signal_set_mask(mask);
}

/* The action as it is now; under the lock. */
static struct signal_action use_action(struct process *process, uint32_t number)
{
	struct signal_action action = process->actions[number - 1];

	if (action.flags & SA_RESETHAND && action.handler > SIG_IGN)
		process->actions[number - 1].handler = SIG_DFL;
	return action;
}

void signal_deliver(struct trap_frame *frame)
{
	struct thread *thread = this_thread();
	struct process *process = thread->process;
	struct signal_action action = { 0 };
	struct signal_cause cause;
	uint64_t flags = spin_lock(&process->lock), continued;
	uint32_t number = take(thread, ~thread->signal_mask, &cause);
	bool stops;

	if (number)
		action = use_action(process, number);
	stops = number && action.handler == SIG_DFL && STOPS_BY_DEFAULT & SIGNAL_BIT(number);
	if (stops) /* a SIGCONT from here on undoes it */
		set_stopped(process, true);
	continued = process->continued;
	spin_unlock(&process->lock, flags);
	if (stops)
		stop_proxy(continued);
	if (stops || !number || is_ignored(&action, number))
		return;
	if (action.handler == SIG_DFL) {
		process_end(process, number);
		return;
	}
	syscall_was_interrupted(frame, action.flags & SA_RESTART);
	call_handler(frame, number, &action, &cause);
}

void signal_fault(struct trap_frame *frame, uint32_t number, const struct signal_cause *cause)
{
	struct thread *thread = this_thread();
	struct process *process = thread->process;
	uint64_t flags = spin_lock(&process->lock);
	struct signal_action action = use_action(process, number);

	spin_unlock(&process->lock, flags);
	log_debug("process %u: thread %u: signal %u at 0x%lx", process->id, thread->id, number, cause->address);
	if (action.handler <= SIG_IGN || thread->signal_mask & SIGNAL_BIT(number))
		process_end(process, number);
	else
		call_handler(frame, number, &action, cause);
}

void thread_faulted(struct trap_frame *frame, uint64_t address)
{
	struct signal_cause cause = { .code = SI_KERNEL };
	uint32_t number = SIGSEGV;

	switch (frame->vector) {
	case TRAP_PAGE_FAULT:
		cause = (struct signal_cause){ .code = SEGV_MAPERR, .address = address };
		if (frame->error & 1)
			cause.code++; /* SEGV_ACCERR */
		break;
	case TRAP_DIVIDE_ERROR:
		cause = (struct signal_cause){ .code = FPE_INTDIV, .address = address };
		number = SIGFPE;
		break;
	case TRAP_X87:
	case TRAP_SIMD:
		cause.address = address;
		number = SIGFPE;
		break;
	case TRAP_DEBUG:
	case TRAP_BREAKPOINT:
		number = SIGTRAP;
		break;
	case TRAP_INVALID_OPCODE:
		cause = (struct signal_cause){ .code = ILL_ILLOPN, .address = address };
		number = SIGILL;
		break;
	case TRAP_STACK_SEGMENT:
	case TRAP_ALIGNMENT:
		number = SIGBUS;
		break;
	}
	signal_fault(frame, number, &cause);
}
