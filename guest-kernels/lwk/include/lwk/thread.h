/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of processes. A thread belongs to one CPU, the least used of those where it may be, and runs there until it
 * waits, ends, or the CPU has other work to do: several share a CPU by turns, and a turn ends only when a thread enters the kernel.
 */
#ifndef LWK_THREAD_H
#define LWK_THREAD_H

#include <arch/trap.h>
#include <arch/user_mode.h>
#include <lwk/cpu.h>
#include <lwk/cpu_set.h>
#include <lwk/memory_policy.h>
#include <lwk/signal.h>
#include <lwk/types.h>
#include <lwk/work.h>

#define THREAD_NAME_SIZE 16

struct process;

/* As sched_setscheduler(2) has it. */
struct thread_schedule {
	uint32_t policy;
	int32_t priority;
};

struct thread {
	struct arch_thread registers;
	struct work work;
	struct process *process;
	unsigned int cpu_id; /* changes in its idle loop alone, while the thread does not run */
	unsigned int goes_to; /* the CPU that it asks to be on */
	struct cpu_set cpus; /* where it may be; under the process's lock */
	uint32_t slot; /* of the process's threads */
	uint32_t id; /* as Linux knows it */
	uint64_t stack_top;
	unsigned int stack_node;
	uint64_t stack; /* while another one runs */
	bool begun;
	bool ended;
	bool fresh; /* it was given the CPU since it entered the kernel */

	/* its question to the proxy; under the process's lock */
	uint32_t life;
	bool waits;
	bool looks; /* for the answer, and need not be woken for it */
	bool sleeps; /* it is one of process->asleep */
	bool answered;
	int64_t answer;
	uint64_t wants_facts; /* the proxy, before it answers: set of enum ikc_process_fact */
	uint32_t facts_told; /* of those */
	struct thread *next_waiting; /* of its CPU's */
	struct thread **link_waiting; /* points here */

	struct memory_policy policy; /* of memory that it asks for */
	struct thread_schedule schedule; /* under the process's lock */
	uint64_t clear_on_exit; /* user address of an int, whose waiters are woken too; 0: none (set_tid_address) */
	uint64_t robust_list; /* user address, of locks to give up at the end; 0: none */
	uint32_t exit_status; /* as wait(2) tells it, should it be the last */
	uint64_t signal_mask; /* by signal_set_mask(); others may look */
	uint64_t awaited; /* signals: by sigtimedwait, though blocked; others may look */
	bool alerted; /* it is to take what is pending for the process; under its lock */
	uint64_t pending; /* signals for it alone; atomic */
	struct signal_stack signal_stack;
	bool restores_mask; /* sigsuspend: after a handler the mask is */
	uint64_t saved_mask;
	bool interrupted; /* its call was, for a signal that was due */
	uint64_t cpu_ns; /* that it has run, until it last waited */
	uint64_t running_since; /* 0: it does not run */
	uint64_t offloads;
	char name[THREAD_NAME_SIZE]; /* "": as the process is called */
};

/* The one that runs here, or NULL. */
static inline struct thread *this_thread(void)
{
	return this_cpu()->thread;
}

/* Threads there are, of all processes; one that goes to another CPU just now may be missed. */
uint32_t thread_count(void);

/* A thread that will begin by `frame`, on one of these CPUs, once it is woken. NULL: no memory, or no such CPU. */
struct thread *thread_new(struct process *process, const struct cpu_set *cpus, const struct trap_frame *frame);

/* How long it has had a CPU. */
uint64_t thread_cpu_time(const struct thread *thread);

/* Lets it run. Any context but NMI; only while it is in its process's table. */
void thread_wake(struct thread *thread);

/* Returns when somebody has woken this thread; perhaps for nothing: look again. Interrupts on. */
void thread_wait(void);

/* Others of this CPU have their turn. */
void thread_yield(void);

/* This thread will soon be at its end: it is in the way of no new one. Who hears of the end may make one at once. */
void thread_begin_end(void);

/* Ends this thread, which has begun to and is in nobody's table any more. */
_Noreturn void thread_end(void);

/* It has never run. */
void thread_discard(struct thread *thread);

/* On the way to user mode, interrupts off: what has to be done before. Perhaps the thread ends here. */
void thread_leave_kernel(struct trap_frame *frame);

/* It did in user mode what it may not. */
void thread_faulted(struct trap_frame *frame, uint64_t address);

#endif
