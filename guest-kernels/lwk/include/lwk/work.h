/* SPDX-License-Identifier: Apache-2.0 */
/* Things to do later, outside of interrupts, on a chosen CPU's idle loop. */
#ifndef LWK_WORK_H
#define LWK_WORK_H

#include <lwk/types.h>

/* Owned by whoever embeds it; may be queued again from inside `run`. */
struct work {
	void (*run)(struct work *work);
	struct work *next;
	bool queued;
};

/*
 * From any context. Does nothing when it is queued already and has not begun to run. Wakes the CPU
 * if needed.
 */
void work_queue(unsigned int cpu_id, struct work *work);

/* Whether anything is queued on this CPU. */
bool work_pending(void);

/* Runs what is queued on this CPU, oldest first. Interrupts on. */
void work_run_queued(void);

#endif
