/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets in C structures that assembly uses; smp.c asserts them. */
#ifndef ARCH_OFFSETS_H
#define ARCH_OFFSETS_H

#define CPU_STACK_TOP 8
#define CPU_ENTRY_STACK 32
#define CPU_USER_STACK 40

#endif
