/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entry of every vector: makes a struct trap_frame on the stack, calls trap_dispatch(frame),
 * and returns to where the trap came from, with registers as the frame says then.
 */
#include <arch/trap_vectors.h>

#define FRAME_RIP 136 /* in struct trap_frame; trap.c asserts it */

	.text
	.balign 16
	.globl trap_vectors
trap_vectors:
	.macro trap_vector number, has_error_code
	.balign TRAP_VECTOR_SIZE
	.if !(\has_error_code)
	pushq $0
	.endif
	pushq $\number
	jmp trap_common
	.endm

	.set vector, 0
	.rept 32
	trap_vector vector, (TRAPS_WITH_ERROR_CODE >> vector) & 1
	.set vector, vector + 1
	.endr
	.rept 256 - 32
	trap_vector vector, 0
	.set vector, vector + 1
	.endr

trap_common:
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
	cld
	movq %rsp, %rdi

	/*
	 * As if the interrupted function had called us: a backtrace then shows it. The CPU aligned
	 * the stack to 16 before its 5 words; with vector, error, 15 registers and these 2 it is
	 * aligned again.
	 */
	pushq FRAME_RIP(%rdi)
	pushq %rbp
	movq %rsp, %rbp
	call trap_dispatch
	.globl trap_return
trap_return:
	addq $16, %rsp

	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rbp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %rcx
	popq %rbx
	popq %rax
	addq $16, %rsp /* vector, error */
	iretq

	.section .note.GNU-stack, "", @progbits
