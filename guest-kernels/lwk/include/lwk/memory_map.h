/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are.
 *
 * Virtual addresses                                        mapped with
 *
 *   0xffff_ffff_8020_0000  kernel image: text, rodata,     4 KiB pages, W^X
 *                          data, bss, symbols
 *   0xffff_ffff_8000_0000  KERNEL_OFFSET
 *
 *   0xffff_d040_0000_0000  THREAD_STACKS_BASE: kernel       4 KiB pages, no execute; once there
 *                          stacks of threads, each above   they stay
 *                          an unmapped guard page
 *   0xffff_d000_0000_0000  STACKS_BASE: one stride per     4 KiB pages from the CPU's node,
 *                          CPU, every stack above an       no execute
 *                          unmapped guard page
 *   0xffff_c000_0000_0000  DEVICES_BASE: BARs, ECAM,       4 KiB, 2 MiB or 1 GiB pages, write-back
 *                          local APIC                      or uncached, no execute
 *   0xffff_8000_0000_0000  DIRECT_BASE: all RAM, at its    2 MiB or 1 GiB pages, no execute
 *                          physical address
 *   0x0000_4000_0000_0000  IKC_USER_END (ikc_process.h)
 *   0x0000_0000_0001_0000  IKC_USER_START: a program's     4 KiB or 2 MiB pages, each process has
 *                          memory                          tables of its own
 *
 * Physical addresses below 4 GiB
 *
 *   0xfee0_0000  local APIC (xAPIC)
 *   0x0020_0000  KERNEL_PHYSICAL: the kernel image, then what early_alloc() gives out
 *   0x0010_0000  RAM
 *   0x000a_0000  legacy devices, firmware
 *   0x0000_8000  TRAMPOLINE: where application processors start, in real mode
 *   0x0000_0000  firmware's; RAM below 1 MiB is never given to the page allocator
 */
#ifndef LWK_MEMORY_MAP_H
#define LWK_MEMORY_MAP_H

#define KERNEL_OFFSET 0xffffffff80000000
#define KERNEL_PHYSICAL 0x200000

#define STACKS_BASE 0xffffd00000000000
#define THREAD_STACKS_BASE 0xffffd04000000000 /* in STACKS_BASE's entry of the topmost table */
#define DEVICES_BASE 0xffffc00000000000
#define DIRECT_BASE 0xffff800000000000
#define DIRECT_SIZE 0x400000000000

#define TRAMPOLINE 0x8000
#define LOW_MEMORY_END 0x100000

#endif
