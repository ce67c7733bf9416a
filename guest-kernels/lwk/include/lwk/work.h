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

/* Works of one CPU. Anybody adds to `added`; the CPU alone takes. */
struct work_list {
	struct work *added; /* the newest first */
	struct work *batch; /* the oldest first, and all older than those */
};

/* Does nothing, and returns false, when it is in a list already and has not begun to run. Any context. */
bool work_list_add(struct work_list *list, struct work *work);

/* Runs the oldest one. False: there is none. On the list's CPU. */
bool work_list_run_one(struct work_list *list);

static inline bool work_list_is_empty(const struct work_list *list)
{
	return !list->batch && !__atomic_load_n(&list->added, __ATOMIC_RELAXED);
}

/*
 * From any context. Does nothing when it is queued already and has not begun to run. Wakes the CPU
 * if needed.
 */
void work_queue(unsigned int cpu_id, struct work *work);

/* Runs what is queued on this CPU, oldest first. Interrupts on. */
void work_run_queued(void);

#endif
