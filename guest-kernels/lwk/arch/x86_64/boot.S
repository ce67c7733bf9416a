/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the boot protocol to C.
 *
 * CPU 0 enters at pvh_start (PVH: 32-bit protected mode, paging off, %ebx = address of the start
 * info). The others start in real mode in a copy of trampoline_start..trampoline_end, placed at
 * TRAMPOLINE by smp.c. Both meet in enter_long_mode with %esi = where to go on, on page tables that
 * map physical 0-4 GiB three times: at 0, at DIRECT_BASE and at KERNEL_OFFSET (there, only the
 * first GiB).
 */
#include <arch/offsets.h>
#include <lwk/memory_map.h>

#define PHYSICAL(symbol) ((symbol) - KERNEL_OFFSET)

#define CODE32 0x18 /* of boot_gdt */
#define CODE64 0x08
#define DATA 0x10

#define PRESENT_WRITABLE 0x03
#define LARGE_PAGE 0x80

#define CR0_PE (1 << 0)
#define CR0_MP (1 << 1)
#define CR0_ET (1 << 4)
#define CR0_NE (1 << 5)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_MCE (1 << 6)
#define CR4_PGE (1 << 7)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define MSR_GS_BASE 0xc0000101

	/* QEMU looks for this note: name "Xen", type XEN_ELFNOTE_PHYS32_ENTRY */
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18
	.asciz "Xen"
	.quad PHYSICAL(pvh_start)

	/* Nobody called what is here: a debugger's backtrace ends. */
	.cfi_sections .debug_frame
	.macro no_caller
	.cfi_startproc simple
	.cfi_def_cfa 7, 8 /* %rsp: gdb wants one, though there is none */
	.cfi_undefined 16 /* %rip */
	.endm

	.section .boot.text, "ax"
	.code32
	.globl pvh_start
pvh_start:
	no_caller
	cld
	cli
	lgdtl PHYSICAL(boot_gdt_pointer)
	xorl %esi, %esi
	ljmpl $CODE32, $PHYSICAL(enter_long_mode)

	/* %esi: 0 for CPU 0, else an application processor. %ebx is kept. */
enter_long_mode:
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs

	movl $(CR4_PAE | CR4_MCE | CR4_PGE), %eax
	movl %eax, %cr4
	movl $PHYSICAL(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_LME | EFER_NXE), %eax
	wrmsr
	movl $(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG), %eax
	movl %eax, %cr0
	ljmpl $CODE64, $PHYSICAL(long_mode)

	.code64
long_mode:
	movq $high_half, %rax
	jmp *%rax
high_half:
	xorl %ebp, %ebp /* ends a backtrace */
	testl %esi, %esi
	jnz application_processor
	movq $boot_stack_top, %rsp
	movq $boot_cpu, %rax
	call set_gs_base
	movl %ebx, %edi
	call boot_main
1:	hlt
	jmp 1b

	/*
	 * Finds its struct cpu by its APIC id, so that any number of processors may come at once
	 * without a lock or a stack: cpus[] is complete before the first one starts. One that is
	 * not in the list halts for good.
	 */
application_processor:
	movl $0, %eax
	cpuid
	cmpl $0xb, %eax
	jb 1f
	movl $0xb, %eax
	xorl %ecx, %ecx
	cpuid
	testl %ebx, %ebx /* 0: leaf 0xb is not there after all */
	jnz 2f
1:	movl $1, %eax
	cpuid
	shrl $24, %ebx
	movl %ebx, %edx
2:	movq paging_root, %rax /* a struct cpu may be above 4 GiB */
	movq %rax, %cr3
	xorl %ecx, %ecx
3:	cmpl cpu_count, %ecx
	jae 5f
	cmpl %edx, cpu_apic_ids(, %rcx, 4)
	je 4f
	incl %ecx
	jmp 3b
4:	movq cpus(, %rcx, 8), %rax
	movq CPU_STACK_TOP(%rax), %rsp
	movq %rax, %r12
	call set_gs_base
	movq %r12, %rdi
	call smp_ap_main
5:	cli
	hlt
	jmp 5b

	/* %rax: a struct cpu */
set_gs_base:
	movl $MSR_GS_BASE, %ecx
	movq %rax, %rdx
	shrq $32, %rdx
	wrmsr
	ret
	.cfi_endproc

	/* void stack_switch(uint64_t stack_top, void (*function)(void)): never returns */
	.text
	.globl stack_switch
stack_switch:
	no_caller
	movq %rdi, %rsp
	xorl %ebp, %ebp
	call *%rsi
	ud2
	.cfi_endproc

	/* Copied to TRAMPOLINE; entered at its start, with %cs = TRAMPOLINE / 16. */
	.section .rodata
	.code16
	.globl trampoline_start, trampoline_end
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl trampoline_gdt_pointer - trampoline_start
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	movl $1, %esi
	ljmpl $CODE32, $PHYSICAL(enter_long_mode)
trampoline_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYSICAL(boot_gdt)
trampoline_end:

	.section .data
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff /* CODE64: GDT_KERNEL_CODE */
	.quad 0x00cf93000000ffff /* DATA: GDT_KERNEL_DATA */
	.quad 0x00cf9b000000ffff /* CODE32 */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long PHYSICAL(boot_gdt)

	.balign 4096
	.globl boot_pml4
boot_pml4:
	.quad PHYSICAL(boot_pdpt) + PRESENT_WRITABLE
	.fill 255, 8, 0
	.quad PHYSICAL(boot_pdpt) + PRESENT_WRITABLE /* DIRECT_BASE */
	.fill 254, 8, 0
	.quad PHYSICAL(boot_kernel_pdpt) + PRESENT_WRITABLE
boot_pdpt:
	.quad PHYSICAL(boot_pd) + PRESENT_WRITABLE
	.quad PHYSICAL(boot_pd) + 0x1000 + PRESENT_WRITABLE
	.quad PHYSICAL(boot_pd) + 0x2000 + PRESENT_WRITABLE
	.quad PHYSICAL(boot_pd) + 0x3000 + PRESENT_WRITABLE
	.fill 508, 8, 0
boot_kernel_pdpt:
	.fill 510, 8, 0
	.quad PHYSICAL(boot_pd) + PRESENT_WRITABLE
	.quad 0
boot_pd:
	.set page, 0
	.rept 2048
	.quad page * 0x200000 + PRESENT_WRITABLE + LARGE_PAGE
	.set page, page + 1
	.endr

	.section .bss
	.balign 4096
	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
