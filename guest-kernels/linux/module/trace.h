/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of the messages that pass, while the monitor asks for them. */
#ifndef TRACE_H
#define TRACE_H

#include <linux/spinlock.h>

#include "ikc_trace.h"

struct trace {
	spinlock_t lock;
	struct ikc_partition *own;
};

void trace_init(struct trace *trace, struct ikc_partition *own);

/* For trace_message alone. */
void trace_write(struct trace *trace, struct ikc_passage *passage, const struct ikc_message *message,
		 const void *payload);

/* A message passed; `passage` is filled in but for its time. */
static inline void trace_message(struct trace *trace, struct ikc_passage passage,
				 const struct ikc_message *message, const void *payload)
{
	if (ikc_trace_wanted(trace->own))
		trace_write(trace, &passage, message, payload);
}

#endif
