/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_POLL_H
#define NATIVE_LINUX_POLL_H

#include <linux/wait.h>

#define EPOLLIN 1u
#define EPOLLOUT 4u
#define EPOLLERR 8u
#define EPOLLHUP 16u

typedef unsigned int __poll_t;

/* What a poll waits at; a test's poll does not sleep. */
typedef struct poll_table {
	int queues;
} poll_table;

struct file;

static inline void poll_wait(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	(void)file;
	(void)queue;
	table->queues++;
}

#endif
