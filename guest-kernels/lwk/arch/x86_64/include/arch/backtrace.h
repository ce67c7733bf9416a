/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of callers. */
#ifndef ARCH_BACKTRACE_H
#define ARCH_BACKTRACE_H

#include <lwk/types.h>

#define BACKTRACE_MAX 24

/*
 * Fills `addresses` with places in the callers, innermost first; returns how many. Follows the
 * frames from `frame_pointer` on, through traps too, and stops at memory that is not there.
 */
unsigned int backtrace(uint64_t frame_pointer, uint64_t *addresses, unsigned int limit);

static inline uint64_t backtrace_frame_pointer(void)
{
	return (uint64_t)__builtin_frame_address(0);
}

#endif
