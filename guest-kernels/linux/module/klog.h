/* SPDX-License-Identifier: GPL-2.0-only */
/* This kernel's log, copied into the region where it outlives us. */
#ifndef KLOG_H
#define KLOG_H

#include <linux/console.h>
#include <linux/kmsg_dump.h>
#include <linux/spinlock.h>

#include "ikc_log.h"

#define KLOG_LINE 1024

struct klog {
	struct ikc_log *log;
	struct console console;

	raw_spinlock_t lock; /* of all below, and of writing the log */
	struct kmsg_dump_iter at;
	char line[KLOG_LINE];
};

void klog_start(struct klog *klog, struct ikc_log *log);
void klog_stop(struct klog *klog);

/* Copies what was printed since the last time. From any context. */
void klog_flush(struct klog *klog);

#endif
