/* SPDX-License-Identifier: Apache-2.0 */
/* The registers that belong to a program, and how a CPU goes from one program to another. */
#ifndef ARCH_USER_MODE_H
#define ARCH_USER_MODE_H

#include <arch/trap.h>
#include <lwk/types.h>

#define FPU_STATE_MAX 3072 /* of XSAVE: x87, SSE, AVX and AVX-512 take 2696 bytes */

/* A thread's registers that the kernel itself does not use: they stay in the CPU while it works. */
struct arch_thread {
	_Alignas(64) uint8_t fpu[FPU_STATE_MAX];
	uint64_t fs_base;
	uint64_t gs_base;
	uint64_t domain; /* of its process: what threads of another domain leave in the FPU is not there while it runs */
};

/* On each CPU: SYSCALL, FPU and what guards user memory from the kernel. */
void user_mode_init_cpu(void);

/* The state that a program begins with. */
void arch_thread_init(struct arch_thread *thread, uint64_t domain);

/* A new thread begins with the FPU state of the one that runs here. */
void arch_thread_inherit(struct arch_thread *thread, struct arch_thread *from);

/* This CPU's are this thread's from now on. Interrupts off. */
void arch_thread_load(struct arch_thread *thread);

/* It ends: nothing of it stays in this CPU, where it ran last. */
void arch_thread_forget(struct arch_thread *thread);

/* It goes to another CPU, and takes them along. On the one where it ran last, where it does not run now. */
void arch_thread_leave(struct arch_thread *thread);

/* Of the thread that runs here: brings `fpu` up to date, and tells its size. */
uint32_t arch_thread_save_fpu(struct arch_thread *thread);

/* Of the thread that runs here, interrupts off: `fpu`, which a program has written, is what the CPU has from now on. */
void arch_thread_restore_fpu(struct arch_thread *thread);

/* The thread that runs here did so where it was forbidden (TRAP_NO_FPU). Interrupts off. */
void arch_thread_use_fpu(void);

uint32_t arch_fpu_size(void);
uint64_t arch_fpu_features(void); /* of XSAVE; 0 without it */

/* Of the thread that runs here. */
void arch_thread_set_fs_base(struct arch_thread *thread, uint64_t base);
void arch_thread_set_gs_base(struct arch_thread *thread, uint64_t base);

/* The frame of a thread that begins at `entry` with an empty stack and nothing in its registers. */
void user_frame_init(struct trap_frame *frame, uint64_t entry, uint64_t stack);

/* Traps and system calls begin on this kernel stack. */
void user_mode_set_entry_stack(uint64_t top);

/* Leaves this kernel stack for another; returns when somebody switches back to *save. Interrupts off. */
void context_switch(uint64_t *save, uint64_t stack);

/* Makes a new kernel stack ready for context_switch(): it goes to user mode by the frame at its top. */
uint64_t context_begin(struct trap_frame *frame);

/* The kernel may touch user memory only in copy_from_user() and its like (SMAP). */
extern bool user_access_is_guarded;

/* From user_entry.S. Returns whether SYSRET will do. */
bool syscall_dispatch(struct trap_frame *frame);

extern const char syscall_entry[], trap_frame_return[];

#endif
