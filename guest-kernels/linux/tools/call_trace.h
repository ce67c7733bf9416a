/* SPDX-License-Identifier: Apache-2.0 */
/* What a program on an LWK calls, on standard error: where it ran, and how long it took there. */
#ifndef CALL_TRACE_H
#define CALL_TRACE_H

#include <stdint.h>

#include "ikc_process.h"

enum call_trace {
	CALL_TRACE_OFF,
	CALL_TRACE_EACH,
	CALL_TRACE_SUMMARY,
};

/* Before a call is made here: when that was. */
uint64_t call_trace_begin(void);

/* A call that was made here, and one that the LWK has made. Not if `trace` is OFF. */
void call_trace_proxy(enum call_trace trace, const struct ikc_process_message *message, int64_t result,
		      uint64_t begin);
void call_trace_local(enum call_trace trace, const struct ikc_process_message *message);

/* The program has ended with this status, as of wait(2). */
void call_trace_end(enum call_trace trace, uint32_t status);

#endif
