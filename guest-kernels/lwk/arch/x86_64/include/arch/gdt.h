/* SPDX-License-Identifier: Apache-2.0 */
/* Each CPU's segments and task state. */
#ifndef ARCH_GDT_H
#define ARCH_GDT_H

struct cpu;

/* On the CPU itself: loads its own GDT and TSS. */
void gdt_load(struct cpu *cpu);

#endif
