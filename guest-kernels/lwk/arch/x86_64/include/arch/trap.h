/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions and interrupts, from the CPU's point of view. */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <lwk/types.h>

#define TRAP_DIVIDE_ERROR 0
#define TRAP_DEBUG 1
#define TRAP_BREAKPOINT 3
#define TRAP_OVERFLOW 4
#define TRAP_INVALID_OPCODE 6
#define TRAP_NO_FPU 7
#define TRAP_NMI 2
#define TRAP_DOUBLE_FAULT 8
#define TRAP_STACK_SEGMENT 12
#define TRAP_PAGE_FAULT 14
#define TRAP_X87 16
#define TRAP_ALIGNMENT 17
#define TRAP_MACHINE_CHECK 18
#define TRAP_SIMD 19
#define TRAP_COUNT 32 /* vectors below are exceptions */
#define VECTOR_COUNT 256

/* What trap_entry.S pushes, lowest address first; from rip on, what the CPU pushes. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector;
	uint64_t error;
	uint64_t rip, cs, rflags, rsp, ss;
};

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return frame->cs & 3;
}

/*
 * An instruction that may trap: `.fixups` pairs its address with a landing, where the kernel goes
 * on with %rax = FIXUP_TRAPPED | vector.
 */
#define FIXUP_TRAPPED 0x100
#define FIXUP(instruction, landing)                                                                \
	".pushsection .fixups, \"a\"; .quad " instruction ", " landing "; .popsection\n"

/* Reads memory that may not be there. Returns 0, or FIXUP_TRAPPED | vector. */
uint64_t probe_read64(uint64_t address, uint64_t *value);

/*
 * Fills the one table of gates. With interrupt stacks only when the CPU that loaded it has a TSS.
 */
void idt_init(bool with_ist);
void idt_load(void);

/* From trap_entry.S. */
void trap_dispatch(struct trap_frame *frame);

/* Logs registers; used by panic. */
void trap_log_registers(const struct trap_frame *f);

#endif
