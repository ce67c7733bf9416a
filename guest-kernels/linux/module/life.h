/* SPDX-License-Identifier: GPL-2.0-only */
/* What this partition says of itself: its status page, kept true until the last breath. */
#ifndef LIFE_H
#define LIFE_H

#include <linux/list.h>
#include <linux/notifier.h>

#include "klog.h"
#include "region.h"

/* Room that the newest lines of the log leave for the reason of a panic. */
#define LIFE_REASON_SIZE 256

struct life {
	const struct region *region;
	struct klog *klog;
	struct ikc_status *status;
	u32 answered; /* sequence of the monitor's last command that was answered */
	struct notifier_block panic;
	struct notifier_block reboot;
	struct hlist_node hotplug;
	int hotplug_state;
	char lines[IKC_PANIC_TEXT_SIZE - LIFE_REASON_SIZE]; /* the newest of the log, for the panic text */
};

/* Says BOOTING, fills in the report, and follows panic, reboot and CPU hotplug from now on. */
int life_start(struct life *life, const struct region *region, struct klog *klog);

/* Says that nothing answers here any more, unless the kernel itself is going down. */
void life_stop(struct life *life);

void life_set_ready(struct life *life);

/* Answers a command of the monitor. */
void life_answer(struct life *life, u32 sequence, enum ikc_mailbox_result result);

#endif
