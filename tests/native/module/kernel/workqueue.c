/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <linux/lockdep.h>
#include <pthread.h>

#include "check.h"

#define WORKERS 2

/* A queue and its threads. No work runs twice at once. */
struct workqueue_struct {
	struct list_head works;
	pthread_t workers[WORKERS];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of both queues and of all works */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool stopping;

static struct workqueue_struct normal, urgent;
struct workqueue_struct *const system_wq = &normal, *const system_highpri_wq = &urgent;

/* The first that does not run, or NULL. */
static struct work_struct *next_work(struct workqueue_struct *queue)
{
	struct work_struct *work;

	list_for_each_entry(work, &queue->works, list)
		if (!work->running)
			return work;
	return NULL;
}

static void run_work(struct work_struct *work)
{
	list_del_init(&work->list);
	work->pending = false;
	work->running = true;
	pthread_mutex_unlock(&lock);
	work->function(work);
	pthread_mutex_lock(&lock);
	work->running = false;
	pthread_cond_broadcast(&changed);
}

static void *worker_main(void *queue)
{
	struct work_struct *work;

	pthread_mutex_lock(&lock);
	while (!stopping) {
		work = next_work(queue);
		if (work)
			run_work(work);
		else
			pthread_cond_wait(&changed, &lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void workqueue_start(struct workqueue_struct *queue)
{
	INIT_LIST_HEAD(&queue->works);
	for (int i = 0; i < WORKERS; i++)
		CHECK(!pthread_create(&queue->workers[i], NULL, worker_main, queue));
}

void workqueues_start(void)
{
	stopping = false;
	workqueue_start(&normal);
	workqueue_start(&urgent);
}

void workqueues_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(normal.workers[i], NULL);
		pthread_join(urgent.workers[i], NULL);
	}
}

bool queue_work(struct workqueue_struct *queue, struct work_struct *work)
{
	bool queued;

	pthread_mutex_lock(&lock);
	queued = !work->pending;
	if (queued) {
		work->pending = true;
		list_add_tail(&work->list, &queue->works);
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	return queued;
}

/* What it holds off while it waits is that the work queues itself: pending, but in no queue. */
bool cancel_work_sync(struct work_struct *work)
{
	bool was_pending;

	might_sleep("cancel_work_sync");
	pthread_mutex_lock(&lock);
	was_pending = work->pending;
	if (was_pending)
		list_del_init(&work->list);
	work->pending = true;
	while (work->running)
		pthread_cond_wait(&changed, &lock);
	work->pending = false;
	pthread_mutex_unlock(&lock);
	return was_pending;
}
