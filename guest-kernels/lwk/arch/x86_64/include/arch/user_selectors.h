/* SPDX-License-Identifier: Apache-2.0 */
/* What C and assembly both know of user mode. */
#ifndef ARCH_USER_SELECTORS_H
#define ARCH_USER_SELECTORS_H

/* Indices of the GDT; the boot GDT has the same first three. SYSRET wants user data before user code. */
#define GDT_KERNEL_CODE 1
#define GDT_KERNEL_DATA 2
#define GDT_USER_DATA 3
#define GDT_USER_CODE 4
#define GDT_TSS 5 /* takes two entries */
#define GDT_ENTRIES 7

#define USER_DATA_SELECTOR (GDT_USER_DATA * 8 + 3)
#define USER_CODE_SELECTOR (GDT_USER_CODE * 8 + 3)

/* What struct trap_frame has for a vector after SYSCALL. */
#define VECTOR_SYSCALL 256

#endif
