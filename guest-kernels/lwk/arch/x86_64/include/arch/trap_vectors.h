/* SPDX-License-Identifier: Apache-2.0 */
/* What C and assembly both know of the entries in trap_entry.S. */
#ifndef ARCH_TRAP_VECTORS_H
#define ARCH_TRAP_VECTORS_H

#define TRAP_VECTOR_SIZE 16

/* SDM 3A, table 6-1: 8, 10-14, 17, 21; AMD APM 2, section 8.2: 29, 30 */
#define TRAPS_WITH_ERROR_CODE 0x60227d00

/* NMI, double fault, machine check; idt.c gives them their stacks. */
#define TRAPS_WITH_OWN_STACK 0x40104

#endif
