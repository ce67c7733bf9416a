/* SPDX-License-Identifier: Apache-2.0 */
/* What the architecture keeps for each CPU, and how a CPU finds its own. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <lwk/types.h>

/* Indices of the GDT; the boot GDT has the same first three. */
#define GDT_KERNEL_CODE 1
#define GDT_KERNEL_DATA 2
#define GDT_TSS 3 /* takes two entries */
#define GDT_ENTRIES 5

/* Interrupt stack table slots: stacks of their own for what may arrive on a broken stack. */
enum { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_COUNT = 3 };

/* SDM 3A, figure 8-11. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));

/* What LGDT and LIDT load. */
struct table_pointer {
	uint16_t limit;
	const void *base;
} __attribute__((packed));

struct arch_cpu {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
};

struct cpu;

static inline struct cpu *percpu_self(void)
{
	struct cpu *self;

	asm volatile("movq %%gs:0, %0" : "=r"(self));
	return self;
}

#endif
