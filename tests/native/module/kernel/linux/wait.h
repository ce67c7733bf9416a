/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_WAIT_H
#define NATIVE_LINUX_WAIT_H

#include <limits.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

typedef struct wait_queue_head {
	spinlock_t lock;
	struct list_head entries;
	const char *name;
} wait_queue_head_t;

struct wait_queue_entry {
	struct list_head list;
	struct task_struct *task;
	void (*wake)(struct wait_queue_entry *entry);
	bool woken; /* under task->lock */
	const char *name;
};

#define DEFINE_WAIT_FUNC(entry, function) \
	struct wait_queue_entry entry = { .task = current, .wake = (function) }

/* A class of locks for each place that makes wait queues, as in Linux. */
#define init_waitqueue_head(queue)                                \
	do {                                                      \
		static struct lock_class class_ = { #queue, 0 };  \
		init_waitqueue_head_class((queue), &class_);      \
	} while (0)

void init_waitqueue_head_class(wait_queue_head_t *queue, struct lock_class *class);

void add_wait_queue(wait_queue_head_t *queue, struct wait_queue_entry *entry);
void remove_wait_queue(wait_queue_head_t *queue, struct wait_queue_entry *entry);
void woken_wake_function(struct wait_queue_entry *entry);
long wait_woken(struct wait_queue_entry *entry, unsigned int mode, long timeout);

bool wq_has_sleeper(wait_queue_head_t *queue);
void wake_up_interruptible_all(wait_queue_head_t *queue);
#define wake_up_interruptible(queue) wake_up_interruptible_all(queue)
#define wake_up_interruptible_poll(queue, events) ((void)(events), wake_up_interruptible_all(queue))

#define wait_event_interruptible(queue, condition)                          \
	({                                                                  \
		DEFINE_WAIT_FUNC(entry_, woken_wake_function);              \
		int err_ = 0;                                               \
		add_wait_queue(&(queue), &entry_);                          \
		while (!(condition) && !err_) {                             \
			err_ = signal_pending(current) ? -ERESTARTSYS : 0;  \
			if (!err_)                                          \
				wait_woken(&entry_, TASK_INTERRUPTIBLE,     \
					   MAX_SCHEDULE_TIMEOUT);           \
		}                                                           \
		remove_wait_queue(&(queue), &entry_);                       \
		err_;                                                       \
	})

#endif
