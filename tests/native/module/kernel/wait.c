/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, and what they wait for. */
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mutex.h>

#include "check.h"

/* Whoever waits longer has lost a wake-up. Shorter for faults that were put in. */
static unsigned int deadline_s(void)
{
	const char *asked = getenv("IKC_DEADLINE_S");

	return asked ? (unsigned int)atoi(asked) : 20;
}

/* ---- threads ---- */

static _Thread_local struct task_struct *task_of_thread;
static struct task_struct main_task;

static void task_init(struct task_struct *task)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&task->lock, NULL);
	pthread_cond_init(&task->woken, &monotonic);
	task->signalled = false;
}

/* Threads that were not started here, but the first, do not wait. */
struct task_struct *task_current(void)
{
	if (!task_of_thread) {
		task_init(&main_task);
		task_of_thread = &main_task;
	}
	return task_of_thread;
}

static void *task_main(void *task)
{
	task_of_thread = task;
	task_of_thread->run(task_of_thread->argument);
	return NULL;
}

void task_start(struct task_struct *task, void (*run)(void *), void *argument)
{
	task_init(task);
	task->run = run;
	task->argument = argument;
	CHECK(!pthread_create(&task->thread, NULL, task_main, task));
}

void task_join(struct task_struct *task, const char *what)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += 2 * deadline_s();
	if (pthread_timedjoin_np(task->thread, NULL, &deadline)) {
		fprintf(stderr, "%s did not end for %u s\n", what, 2 * deadline_s());
		abort();
	}
}

void task_signal(struct task_struct *task)
{
	pthread_mutex_lock(&task->lock);
	WRITE_ONCE(task->signalled, true);
	pthread_cond_signal(&task->woken);
	pthread_mutex_unlock(&task->lock);
}

static struct timespec after_ns(u64 ns)
{
	u64 at = ktime_get_ns() + ns;

	return (struct timespec){ .tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000) };
}

long task_wait(struct task_struct *task, const bool *flag, bool interruptible, long timeout, const char *what)
{
	u64 begin = ktime_get_ns();
	bool endless = timeout == MAX_SCHEDULE_TIMEOUT;
	struct timespec deadline = after_ns(endless ? deadline_s() * 1000000000ull
						    : (u64)timeout * (1000000000 / HZ));
	long passed;
	int err = 0;

	pthread_mutex_lock(&task->lock);
	while (!*flag && !(interruptible && task->signalled) && !err)
		err = pthread_cond_timedwait(&task->woken, &task->lock, &deadline);
	pthread_mutex_unlock(&task->lock);
	if (endless && err) {
		fprintf(stderr, "waited for %s for %u s\n", what, deadline_s());
		abort();
	}
	passed = (long)((ktime_get_ns() - begin) / (1000000000 / HZ));
	if (endless)
		return timeout;
	return err || passed >= timeout ? 0 : timeout - passed;
}

/* ---- wait queues ---- */

void init_waitqueue_head_class(wait_queue_head_t *queue, struct lock_class *class)
{
	spin_lock_init_class(&queue->lock, class);
	INIT_LIST_HEAD(&queue->entries);
	queue->name = class->name;
}

void add_wait_queue(wait_queue_head_t *queue, struct wait_queue_entry *entry)
{
	spin_lock_irq(&queue->lock);
	entry->name = queue->name;
	list_add(&entry->list, &queue->entries);
	spin_unlock_irq(&queue->lock);
}

void remove_wait_queue(wait_queue_head_t *queue, struct wait_queue_entry *entry)
{
	spin_lock_irq(&queue->lock);
	list_del(&entry->list);
	spin_unlock_irq(&queue->lock);
}

void woken_wake_function(struct wait_queue_entry *entry)
{
	pthread_mutex_lock(&entry->task->lock);
	entry->woken = true;
	pthread_cond_signal(&entry->task->woken);
	pthread_mutex_unlock(&entry->task->lock);
}

long wait_woken(struct wait_queue_entry *entry, unsigned int mode, long timeout)
{
	long left;

	might_sleep(entry->name);
	left = task_wait(entry->task, &entry->woken, mode == TASK_INTERRUPTIBLE, timeout, entry->name);
	pthread_mutex_lock(&entry->task->lock);
	entry->woken = false;
	pthread_mutex_unlock(&entry->task->lock);
	return left;
}

static void wake_all_locked(wait_queue_head_t *queue)
{
	struct wait_queue_entry *entry;

	list_for_each_entry(entry, &queue->entries, list)
		entry->wake(entry);
}

bool wq_has_sleeper(wait_queue_head_t *queue)
{
	unsigned long flags;
	bool has;

	spin_lock_irqsave(&queue->lock, flags);
	has = !list_empty(&queue->entries);
	spin_unlock_irqrestore(&queue->lock, flags);
	return has;
}

void wake_up_interruptible_all(wait_queue_head_t *queue)
{
	spin_lock_irq(&queue->lock);
	wake_all_locked(queue);
	spin_unlock_irq(&queue->lock);
}

/* ---- mutexes that a signal takes one from ---- */

#define TURN_NS 1000000

/* Nobody tells whoever waits for a mutex of a signal: it looks for one now and then. */
int mutex_lock_interruptible(struct mutex *lock)
{
	int err = ETIMEDOUT;

	might_sleep("mutex_lock_interruptible");
	lockdep_acquire(lock->class, false);
	while (err == ETIMEDOUT && !signal_pending(current)) {
		struct timespec turn;

		clock_gettime(CLOCK_REALTIME, &turn);
		turn.tv_nsec += TURN_NS;
		turn.tv_sec += turn.tv_nsec / 1000000000;
		turn.tv_nsec %= 1000000000;
		err = pthread_mutex_timedlock(&lock->mutex, &turn);
	}
	if (err)
		lockdep_release(lock->class);
	return err ? -EINTR : 0;
}

/* ---- completions ---- */

void complete(struct completion *completion)
{
	spin_lock_irq(&completion->wait.lock);
	completion->done++;
	wake_all_locked(&completion->wait);
	spin_unlock_irq(&completion->wait.lock);
}

static bool completion_take(struct completion *completion)
{
	bool done;

	spin_lock_irq(&completion->wait.lock);
	done = completion->done;
	completion->done -= done;
	spin_unlock_irq(&completion->wait.lock);
	return done;
}

bool completion_done(struct completion *completion)
{
	bool done;

	spin_lock_irq(&completion->wait.lock);
	done = completion->done;
	spin_unlock_irq(&completion->wait.lock);
	return done;
}

void wait_for_completion(struct completion *completion)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);

	might_sleep("wait_for_completion");
	add_wait_queue(&completion->wait, &entry);
	while (!completion_take(completion))
		wait_woken(&entry, TASK_UNINTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	remove_wait_queue(&completion->wait, &entry);
}

long wait_for_completion_interruptible_timeout(struct completion *completion, long timeout)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	long result;

	might_sleep("wait_for_completion");
	add_wait_queue(&completion->wait, &entry);
	for (;;) {
		result = timeout ? timeout : 1;
		if (completion_take(completion))
			break;
		result = signal_pending(current) ? -ERESTARTSYS : 0;
		if (result || !timeout)
			break;
		timeout = wait_woken(&entry, TASK_INTERRUPTIBLE, timeout);
	}
	remove_wait_queue(&completion->wait, &entry);
	return result;
}
