// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for what can only be found out by trying. */
#include "waiting.h"

int waiting_for(wait_queue_head_t *queue, int (*attempt)(void *), void *context, long *left)
{
	DEFINE_WAIT_FUNC(entry, woken_wake_function);
	int err;

	add_wait_queue(queue, &entry);
	for (;;) {
		err = attempt(context);
		if (err != -EAGAIN)
			break;
		err = signal_pending(current) ? -ERESTARTSYS : -ETIMEDOUT;
		if (err == -ERESTARTSYS || !*left)
			break;
		*left = wait_woken(&entry, TASK_INTERRUPTIBLE, *left);
	}
	remove_wait_queue(queue, &entry);
	return err;
}
