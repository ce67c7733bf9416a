/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals, with Linux's numbers and layouts. For one that is pending for the process one of its threads that do not block it
 * is alerted, the first one before others: so one call is interrupted, and no more. Who comes by for another signal takes it
 * too.
 */
#ifndef LWK_SIGNAL_H
#define LWK_SIGNAL_H

#include <lwk/types.h>

#define SIGNALS 64
#define SIGNAL_REAL_TIME 32 /* the first that is pending as often as it was sent */

#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGSEGV 11
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGWINCH 28

#define SIG_DFL 0
#define SIG_IGN 1

#define SI_USER 0
#define SI_KERNEL 0x80

#define SA_ONSTACK 0x08000000
#define SA_RESTART 0x10000000
#define SA_NODEFER 0x40000000
#define SA_RESETHAND 0x80000000u

#define SIGNAL_BIT(number) (1ul << ((number) - 1))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* As rt_sigaction(2) has it for the kernel. */
struct signal_action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/* What a handler is told, but the number. */
struct signal_cause {
	int32_t code;
	uint32_t pid; /* of who sent it */
	uint32_t uid;
	uint64_t address; /* of a fault, which has no sender */
	uint64_t value; /* that the sender gave it: sigqueue(3), a timer */
};

/* As sigaltstack(2) has it. */
struct signal_stack {
	uint64_t start;
	uint32_t flags;
	uint32_t reserved;
	uint64_t size;
};

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM 0x80000000u

struct process;
struct thread;
struct trap_frame;

/* One for the process. Any context but NMI. -EAGAIN: a real-time one that finds no room. */
int signal_process(struct process *process, uint32_t number, const struct signal_cause *cause);

/* The same, of one that the proxy was sent; for the thread in that slot, if there is one. */
void signal_by_proxy(struct process *process, uint32_t slot, uint32_t number, const struct signal_cause *cause);

/* Its proxy was stopped, or goes on: no thread of the process is in user mode meanwhile. Any context but NMI. */
void signal_set_stopped(struct process *process, bool stopped);

/* Blocks these from now on. Of this thread. */
void signal_set_mask(uint64_t mask);

/* As if these were not blocked, for who waits for them; 0: no more. Of this thread. */
void signal_await(uint64_t set);

/* A thread is in its process's table no more: what was pending for it is not any more, and if it was alerted, another one is. With the lock. */
void signal_pass_on(const struct thread *thread);

/* As signal_process, with the process's lock. */
int signal_thread(struct thread *thread, uint32_t number, const struct signal_cause *cause);

/* Something is pending for this thread, or it was alerted. */
bool signal_is_due(const struct thread *thread);

/* Takes one of `set` that is pending for this thread or its process, and that nobody is to be called for. 0: none. */
uint32_t signal_take(struct thread *thread, uint64_t set, struct signal_cause *cause);

/* What is due, of this thread, on its way to user mode: a handler is made ready, or the process ends. Interrupts on. */
void signal_deliver(struct trap_frame *frame);

/* One that this thread has brought upon itself: not to be ignored, nor blocked. */
void signal_fault(struct trap_frame *frame, uint32_t number, const struct signal_cause *cause);

/* ---- the alternate stack of a thread, by its stack pointer ---- */

/* Whether an address is on it. */
bool signal_is_on_stack(const struct thread *thread, uint64_t address);

/* As a program is told of it. */
struct signal_stack signal_stack_now(const struct thread *thread, uint64_t stack_pointer);

/* -EPERM: it is in use; -EINVAL; -ENOMEM: it is too small. */
int signal_stack_set(struct thread *thread, uint64_t stack_pointer, const struct signal_stack *wanted);

/* A handler begins, which is told of it as it was: SS_AUTODISARM. */
void signal_stack_disarm(struct thread *thread);

/* ---- arch ---- */

/* Tells a program of a signal, as siginfo. -EFAULT. */
int signal_put_info(uint64_t to, uint32_t number, const struct signal_cause *cause);

/* The reverse, but for the number. -EFAULT. */
int signal_get_info(uint64_t from, struct signal_cause *cause);

/* What a handler finds, on the program's stack; the frame then goes to the handler. -EFAULT. */
int signal_frame_push(struct thread *thread, struct trap_frame *frame, uint32_t number,
		      const struct signal_action *action, const struct signal_cause *cause, uint64_t mask);

/* After the handler: as it was before. The mask is to be set. -EFAULT: what is there makes no sense. */
int signal_frame_pop(struct thread *thread, struct trap_frame *frame, uint64_t *mask);

#endif
