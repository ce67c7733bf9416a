/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's own timer. Nobody gets an interrupt who has not asked for one: the kernel is tickless.
 */
#ifndef LWK_TIMER_H
#define LWK_TIMER_H

#include <lwk/types.h>

/* Runs in interrupt context, on the CPU that armed it. */
typedef void (*timer_handler)(void *arg);

/* A CPU's timer; armed while it has a handler. */
struct timer {
	uint64_t deadline_ns;
	timer_handler handler;
	void *arg;
};

/*
 * Arms this CPU's one timer, once, replacing what was armed. Interrupts off, or the caller stays on
 * its CPU.
 */
void timer_arm(uint64_t after_ns, timer_handler handler, void *arg);

/* Disarms this CPU's timer. The handler may be running, or have run, already. */
void timer_cancel(void);

void timer_init(void);

#endif
