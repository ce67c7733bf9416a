/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of a proxy: each waits for a system call of the program, makes it, with the same pointers, and answers.
 * One at least waits, whatever the others wait for: who makes a call that may take its time sees to that before.
 */
#ifndef WORKERS_H
#define WORKERS_H

#include "call_trace.h"
#include "program.h"
#include "proxy.h"

/* Serves the program until it has ended, then ends this process in the same way. `look_ns` as proxy_look() has it. */
__attribute__((noreturn)) void workers_run(const struct proxy *proxy, const struct program *program, enum call_trace trace,
					   uint64_t look_ns);

#endif
