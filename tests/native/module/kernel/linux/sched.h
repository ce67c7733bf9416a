/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_SCHED_H
#define NATIVE_LINUX_SCHED_H

#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <pthread.h>

/* A thread: what a program is to the kernel. */
struct task_struct {
	pthread_mutex_t lock; /* of all that it can be woken by */
	pthread_cond_t woken;
	bool signalled;
	pthread_t thread;
	void (*run)(void *);
	void *argument;
};

struct task_struct *task_current(void);

#define current task_current()
#define cond_resched() ((void)0)
#define need_resched() false

#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2
#define MAX_SCHEDULE_TIMEOUT LONG_MAX

/* ---- for tests ---- */

void task_start(struct task_struct *task, void (*run)(void *), void *argument);

/* It must end by itself, and soon: `what` it is, if not. */
void task_join(struct task_struct *task, const char *what);

/* A signal, which stays pending: all its waits end. */
void task_signal(struct task_struct *task);

/* Waits until *flag is set under task->lock, or a signal if that counts, or the time is up. What is left. */
long task_wait(struct task_struct *task, const bool *flag, bool interruptible, long timeout, const char *what);

#endif
