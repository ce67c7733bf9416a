/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included ahead of every C file of the kernel: what no configuration can say.
 *
 * Linux fills the memory of its start with a pattern before it gives it back, to catch who still uses it. Under TCG each
 * word of that throws away what was translated from there, one block after the other, and QEMU's table of jumps with it,
 * for each CPU: a tenth of the boot with two CPUs. Any value above 255 leaves the memory as it is (free_reserved_area()).
 */
#include <linux/poison.h>

#undef POISON_FREE_INITMEM
#define POISON_FREE_INITMEM 0x100
