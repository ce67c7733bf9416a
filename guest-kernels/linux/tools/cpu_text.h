/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs or nodes as the kernel writes them: lists, as 0-3,8, and masks. */
#ifndef CPU_TEXT_H
#define CPU_TEXT_H

#include <stdint.h>

#define CPU_TEXT_MAX 4096

struct cpu_text_set {
	uint64_t words[CPU_TEXT_MAX / 64];
};

/* One that is too large is left out. */
void cpu_text_add(struct cpu_text_set *set, uint64_t number);

/*
 * A line each, to be freed; NULL: no memory. The mask has a digit for each four of so many CPUs, at most CPU_TEXT_MAX, with
 * commas between groups of 32: some readers take no more digits than there are CPUs.
 */
char *cpu_text_list(const struct cpu_text_set *set);
char *cpu_text_mask(const struct cpu_text_set *set, unsigned int count);

#endif
