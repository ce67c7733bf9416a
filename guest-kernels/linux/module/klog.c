// SPDX-License-Identifier: GPL-2.0-only
/*
 * This kernel's log, copied into the region.
 *
 * The text is pulled out of the kernel's own buffer and not taken from the console's argument: so the
 * log begins with the first line of this boot, and has the lines too that the console loglevel hides.
 * The console is only the signal that there is something new.
 */
#include <linux/printk.h>

#include "klog.h"

static void klog_copy(struct klog *klog)
{
	size_t length;

	while (kmsg_dump_get_line(&klog->at, false, klog->line, sizeof(klog->line), &length))
		ikc_log_write(klog->log, klog->line, length);
}

/* In a panic the holder of the lock may have been stopped for ever: then it goes without. */
static void klog_flush_dying(struct klog *klog)
{
	unsigned long flags;

	if (raw_spin_trylock_irqsave(&klog->lock, flags)) {
		klog_copy(klog);
		raw_spin_unlock_irqrestore(&klog->lock, flags);
	} else {
		klog_copy(klog);
	}
}

void klog_flush(struct klog *klog)
{
	unsigned long flags;

	if (oops_in_progress) {
		klog_flush_dying(klog);
		return;
	}
	raw_spin_lock_irqsave(&klog->lock, flags);
	klog_copy(klog);
	raw_spin_unlock_irqrestore(&klog->lock, flags);
}

static void klog_console_write(struct console *console, const char *text, unsigned int length)
{
	klog_flush(console->data);
}

void klog_start(struct klog *klog, struct ikc_log *log)
{
	klog->log = log;
	raw_spin_lock_init(&klog->lock);
	kmsg_dump_rewind(&klog->at);
	klog->console = (struct console) {
		.name = "ikc",
		.write = klog_console_write,
		.flags = CON_ENABLED | CON_ANYTIME,
		.data = klog,
	};
	klog_flush(klog);
	register_console(&klog->console);
}

void klog_stop(struct klog *klog)
{
	unregister_console(&klog->console);
	klog_flush(klog);
}
