/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between programs and the kernel: SYSCALL, the first entry into user mode, and the change from one
 * kernel stack to another.
 */
#include <arch/offsets.h>
#include <arch/user_selectors.h>

#define FRAME_ERROR_SIZE 16 /* vector and error, in struct trap_frame */

	.section .text.hot, "ax"
	/* SDM 2B, SYSCALL: %rcx = where to go on, %r11 = flags; interrupts are off by the mask of flags. */
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_STACK
	movq %gs:CPU_ENTRY_STACK, %rsp
	pushq $USER_DATA_SELECTOR
	pushq %gs:CPU_USER_STACK
	pushq %r11
	pushq $USER_CODE_SELECTOR
	pushq %rcx
	pushq %rax /* the number, where a trap has its error code */
	pushq $VECTOR_SYSCALL
	pushq %rax
	pushq %rbx
	pushq %rcx
	pushq %rdx
	pushq %rsi
	pushq %rdi
	pushq %rbp
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	xorl %ebp, %ebp
	movq %rsp, %rdi
	call syscall_dispatch
	testb %al, %al
	jz trap_frame_return

	/* Only what SYSCALL has clobbered is not as the frame says. */
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	addq $8, %rsp
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	addq $8, %rsp
	popq %rbx
	popq %rax
	addq $FRAME_ERROR_SIZE, %rsp
	movq (%rsp), %rcx
	movq 16(%rsp), %r11
	movq 24(%rsp), %rsp
	swapgs
	sysretq

	/* void context_switch(uint64_t *save, uint64_t stack): returns when somebody switches to *save */
	.globl context_switch
context_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
