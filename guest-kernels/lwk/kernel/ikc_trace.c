/* SPDX-License-Identifier: Apache-2.0 */
/* The record of messages that pass. */
#include <lwk/ikc_trace.h>
#include <lwk/spinlock.h>
#include <lwk/time.h>

static struct spinlock lock = SPINLOCK_INIT;

void ikc_trace_record(const struct ikc_passage *passage, const struct ikc_message *message,
		      const void *payload)
{
	struct ikc_passage stamped = *passage;
	uint64_t flags = spin_lock(&lock);

	stamped.time_ns = time_ns(); /* under the lock: records are in the order of their times */
	ikc_trace_write(&ikc_local.partition->trace, &stamped, message, payload);
	spin_unlock(&lock, flags);
}
