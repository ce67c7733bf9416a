/* SPDX-License-Identifier: Apache-2.0 */
/* What boot.S calls, and what it offers. */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <lwk/types.h>

/* CPU 0, on the boot stack and the boot page tables, interrupts off; this_cpu() works. */
void boot_main(paddr_t start_info);

/*
 * Each other CPU, on its own stack and the kernel's page tables, interrupts off; this_cpu() works.
 */
_Noreturn void smp_ap_main(void);

/* Continues in `function` on another stack; what was on the old one is gone. */
_Noreturn void stack_switch(uint64_t stack_top, void (*function)(void));

/* Bounds of the image (lwk.lds). */
extern char kernel_start[], text_start[], text_end[], rodata_start[], data_start[], symbols_start[],
	kernel_end[];
extern const char trampoline_start[], trampoline_end[];

/* What CR3 holds on every CPU. */
extern paddr_t paging_root;

#endif
