/* SPDX-License-Identifier: Apache-2.0 */
/* In place of the driver's files that are not built here: log, life, mailbox, turns, windows and stops. */
#include <linux/err.h>

#include "channel_turn.h"
#include "mailbox.h"
#include "stops.h"
#include "window.h"

void klog_start(struct klog *klog, struct ikc_log *log)
{
	(void)klog;
	(void)log;
}

void klog_stop(struct klog *klog)
{
	(void)klog;
}

void klog_flush(struct klog *klog)
{
	(void)klog;
}

int life_start(struct life *life, const struct region *region, struct klog *klog)
{
	(void)life;
	(void)region;
	(void)klog;
	return 0;
}

void life_stop(struct life *life)
{
	(void)life;
}

void life_set_ready(struct life *life)
{
	(void)life;
}

void mailbox_serve(struct life *life)
{
	(void)life;
}

void channel_turns_init(struct channel_turns *turns, struct channel *channel, const bool *stopping)
{
	turns->channel = channel;
	turns->stopping = stopping;
}

long channel_turns_await_signals(struct channel_turns *turns, const u64 __user *argument)
{
	(void)turns;
	(void)argument;
	return -ENOTTY;
}

long channel_turns_stop(const struct channel_turns *turns)
{
	(void)turns;
	return -ENOTTY;
}

void channel_turns_end(struct channel_turns *turns)
{
	(void)turns;
}

long channel_turns_turn(struct channel_turns *turns, struct ikc_turn __user *turn, bool wait)
{
	(void)turns;
	(void)turn;
	(void)wait;
	return -ENOTTY;
}

void windows_publish(const struct region *region)
{
	(void)region;
}

void windows_unpublish(void)
{
}

void windows_look(void)
{
}

struct stops *stops_new(struct channel *channel, const void __user *argument)
{
	(void)channel;
	(void)argument;
	return ERR_PTR(-EINVAL);
}

void stops_free(struct stops *stops)
{
	(void)stops;
}
