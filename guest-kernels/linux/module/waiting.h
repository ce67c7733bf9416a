/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for what can only be found out by trying, under a mutex: so it cannot be the condition of a wait_event. */
#ifndef WAITING_H
#define WAITING_H

#include <linux/sched/signal.h>
#include <linux/wait.h>

/*
 * Calls `attempt` until it returns something else than -EAGAIN, and sleeps on `queue` between. -ERESTARTSYS at a
 * signal; -ETIMEDOUT when *left, in jiffies, is used up; MAX_SCHEDULE_TIMEOUT: never.
 */
int waiting_for(wait_queue_head_t *queue, int (*attempt)(void *), void *context, long *left);

#endif
