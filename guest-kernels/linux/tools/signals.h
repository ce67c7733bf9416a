/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that are sent to a proxy: they are its program's, and reach it in the order in which Linux delivers them. All
 * threads block them; a turn at the channel ends by EINTR when there are some.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdint.h>

#include "proxy.h"

/* Of the call that this thread makes. */
extern __thread uint32_t signals_slot;

/* From now on, for this thread and those that it begins. */
void signals_begin(const struct proxy *proxy);

/* Hands on what has come. */
void signals_forward(void);

/*
 * Stops this process, as by SIGSTOP, and returns when it goes on; unless it was sent SIGCONT since the LWK had been told of
 * that signal so many times. 0.
 */
long signals_stop(uint64_t continued);

#endif
