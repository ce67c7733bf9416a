/* SPDX-License-Identifier: Apache-2.0 */
/* What the architecture keeps for each CPU, and how a CPU finds its own. */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#include <arch/user_selectors.h>
#include <lwk/types.h>

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
	uint64_t entry_stack; /* where the kernel begins when it is entered from user mode */
	uint64_t user_stack;  /* of a system call that is just being entered */
	struct arch_thread *registers; /* whose segment bases this CPU holds; or NULL */
	struct arch_thread *fpu; /* the same of the FPU state */
	bool fpu_forbidden; /* to the thread that runs: another has it, or this one has not used it since it was given the CPU */
	uint64_t user_gs_base; /* as last set; 0 stays 0, whatever a program loads */
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
