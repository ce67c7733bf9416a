/* SPDX-License-Identifier: Apache-2.0 */
/* Each CPU's stacks, in the area at STACKS_BASE. */
#ifndef ARCH_STACK_H
#define ARCH_STACK_H

#include <lwk/types.h>

struct cpu;

/* Maps all stacks of one CPU out of its node's memory, and writes them into its TSS. -ENOMEM. */
int stack_map(struct cpu *cpu);

/*
 * True if the address is in an unmapped page below a stack; `text` then names it: "the kernel stack
 * of CPU 3".
 */
bool stack_describe_guard(uint64_t address, char *text, size_t size);

#endif
