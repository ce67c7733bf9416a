/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel stacks of threads, in the area at THREAD_STACKS_BASE. Once there, a stack stays mapped, for other
 * threads: no CPU can know an old place of it.
 */
#ifndef ARCH_THREAD_STACK_H
#define ARCH_THREAD_STACK_H

#include <lwk/types.h>

/* The top of a stack in that node's memory; 0: no memory. */
uint64_t thread_stack_take(unsigned int node);

void thread_stack_give(uint64_t top, unsigned int node);

/* True if the address is in the guard page below one. */
bool thread_stack_is_guard(uint64_t address);

#endif
