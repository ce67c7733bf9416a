/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of page tables. */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include <lwk/types.h>

/* SDM 3A, tables 4-15 to 4-20 */
#define PTE_PRESENT (1ul << 0)
#define PTE_WRITABLE (1ul << 1)
#define PTE_USER (1ul << 2)
#define PTE_WRITE_THROUGH (1ul << 3)
#define PTE_CACHE_DISABLE (1ul << 4)
#define PTE_LARGE (1ul << 7)
#define PTE_GLOBAL (1ul << 8)
#define PTE_NO_EXECUTE (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

/* A leaf at level 1 maps 4 KiB, at 2 2 MiB, at 3 1 GiB. */
#define LEVELS 4
#define LEVEL_SHIFT(level) (PAGE_SHIFT + 9 * ((level) - 1))
#define LEVEL_SIZE(level) (1ul << LEVEL_SHIFT(level))

#endif
