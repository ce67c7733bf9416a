/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on another CPU, run there at once, in interrupt context. */
#ifndef LWK_XCALL_H
#define LWK_XCALL_H

#include <lwk/types.h>

typedef void (*xcall_fn)(void *arg);

/* A call on its way; xcall.c's own. */
struct xcall {
	struct xcall *next;
	xcall_fn fn;
	void *arg;
	uint32_t *pending; /* decremented when fn has returned; the struct is free again then */
};

/*
 * Runs fn(arg) on one CPU and waits until it has returned. Interrupts on, unless the CPU is this
 * one.
 */
void xcall_one(unsigned int cpu_id, xcall_fn fn, void *arg);

/*
 * Runs fn(arg) on every CPU that is online, this one too, at the same time; waits for all.
 * Interrupts on.
 */
void xcall_all(xcall_fn fn, void *arg);

/* Makes another CPU leave its halt and look at its queues. From any context. */
void xcall_wake(unsigned int cpu_id);

void xcall_init(void);

#endif
