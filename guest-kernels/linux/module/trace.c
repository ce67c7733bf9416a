// SPDX-License-Identifier: GPL-2.0-only
/* Records of the messages that pass. */
#include <linux/ktime.h>

#include "trace.h"

void trace_init(struct trace *trace, struct ikc_partition *own)
{
	spin_lock_init(&trace->lock);
	trace->own = own;
}

void trace_write(struct trace *trace, struct ikc_passage *passage, const struct ikc_message *message,
		 const void *payload)
{
	spin_lock(&trace->lock);
	passage->time_ns = ktime_get_ns();
	ikc_trace_write(&trace->own->trace, passage, message, payload);
	spin_unlock(&trace->lock);
}
