/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of every vector: makes a struct trap_frame on the stack, calls trap_dispatch(frame),
 * and returns to where the trap came from, with registers as the frame says then.
 */
#include <arch/trap_vectors.h>

#define FRAME_RIP 136 /* in struct trap_frame; trap.c asserts these */
#define FRAME_CS 144
#define FRAME_CS_AT_ENTRY 24 /* above vector and error */
#define MSR_GS_BASE 0xc0000101

	/*
	 * For debuggers: where the registers of the interrupted function are, at each instruction. The
	 * CFA is the end of what the CPU pushed.
	 */
	.cfi_sections .debug_frame

	.macro push_saved register
	pushq \register
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \register, 0
	.endm

	.macro pop_saved register
	popq \register
	.cfi_adjust_cfa_offset -8
	.cfi_same_value \register
	.endm

	.text
	.balign 16
	.globl trap_vectors
trap_vectors:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 40
	.cfi_offset %rip, -40
	.cfi_offset %rsp, -16
	.macro trap_vector number, has_error_code
	.balign TRAP_VECTOR_SIZE
	.if !(\has_error_code)
	.cfi_def_cfa_offset 40
	pushq $0
	.endif
	.cfi_def_cfa_offset 48
	pushq $\number
	.cfi_def_cfa_offset 56
	.if (TRAPS_WITH_OWN_STACK >> (\number)) & 1
	jmp trap_on_own_stack
	.else
	jmp trap_common
	.endif
	.endm

	.set vector, 0
	.rept 32
	trap_vector vector, (TRAPS_WITH_ERROR_CODE >> vector) & 1
	.set vector, vector + 1
	.endr
	.rept 256 - 32
	.balign TRAP_VECTOR_SIZE
	.cfi_def_cfa_offset 40
	pushq $0
	.cfi_def_cfa_offset 48
	pushq $vector
	.cfi_def_cfa_offset 56
	jmp trap_common
	.set vector, vector + 1
	.endr

	/*
	 * May come between entry to the kernel and SWAPGS, so the code segment does not tell whose base
	 * GS has. A user's is never negative: only the kernel sets it. None of these returns.
	 */
trap_on_own_stack:
	pushq %rax
	.cfi_adjust_cfa_offset 8
	pushq %rcx
	.cfi_adjust_cfa_offset 8
	pushq %rdx
	.cfi_adjust_cfa_offset 8
	movl $MSR_GS_BASE, %ecx
	rdmsr
	testl %edx, %edx
	popq %rdx
	.cfi_adjust_cfa_offset -8
	popq %rcx
	.cfi_adjust_cfa_offset -8
	popq %rax
	.cfi_adjust_cfa_offset -8
	js .Ltrap_in_kernel
	swapgs
	jmp .Ltrap_in_kernel

trap_common:
	testb $3, FRAME_CS_AT_ENTRY(%rsp)
	jz .Ltrap_in_kernel
	swapgs
.Ltrap_in_kernel:
	push_saved %rax
	push_saved %rbx
	push_saved %rcx
	push_saved %rdx
	push_saved %rsi
	push_saved %rdi
	push_saved %rbp
	push_saved %r8
	push_saved %r9
	push_saved %r10
	push_saved %r11
	push_saved %r12
	push_saved %r13
	push_saved %r14
	push_saved %r15
	cld
	cmpb $0, user_access_is_guarded
	je 1f
	clac
1:	movq %rsp, %rdi
	testb $3, FRAME_CS(%rdi)
	jz 2f
	xorl %ebp, %ebp /* a program's is not the kernel's to follow */
2:

	/*
	 * As if the interrupted function had called us: a backtrace then shows it. The CPU aligned
	 * the stack to 16 before its 5 words; with vector, error, 15 registers and these 2 it is
	 * aligned again.
	 */
	pushq FRAME_RIP(%rdi)
	.cfi_adjust_cfa_offset 8
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	movq %rsp, %rbp
	call trap_dispatch
	.globl trap_return
trap_return:
	addq $16, %rsp
	.cfi_adjust_cfa_offset -16

	/* %rsp: a struct trap_frame; interrupts off. */
	.globl trap_frame_return
trap_frame_return:
	pop_saved %r15
	pop_saved %r14
	pop_saved %r13
	pop_saved %r12
	pop_saved %r11
	pop_saved %r10
	pop_saved %r9
	pop_saved %r8
	pop_saved %rbp
	pop_saved %rdi
	pop_saved %rsi
	pop_saved %rdx
	pop_saved %rcx
	pop_saved %rbx
	pop_saved %rax
	testb $3, FRAME_CS_AT_ENTRY(%rsp)
	jz 1f
	swapgs
1:	addq $16, %rsp /* vector, error */
	.cfi_adjust_cfa_offset -16
	iretq
	.cfi_endproc

	.section .note.GNU-stack, "", @progbits
