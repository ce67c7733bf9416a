/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_WORKQUEUE_H
#define NATIVE_LINUX_WORKQUEUE_H

#include <linux/list.h>

struct work_struct {
	struct list_head list;
	void (*function)(struct work_struct *work);
	bool pending;
	bool running;
};

struct workqueue_struct;

extern struct workqueue_struct *const system_wq, *const system_highpri_wq;

static inline void INIT_WORK(struct work_struct *work, void (*function)(struct work_struct *work))
{
	INIT_LIST_HEAD(&work->list);
	work->function = function;
	work->pending = false;
	work->running = false;
}

bool queue_work(struct workqueue_struct *queue, struct work_struct *work);

/* Not pending and not running any more, also if it queues itself again. */
bool cancel_work_sync(struct work_struct *work);

/* ---- for tests ---- */

void workqueues_start(void);
void workqueues_stop(void);

#endif
