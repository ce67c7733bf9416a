/* SPDX-License-Identifier: Apache-2.0 */
/* The start info of the PVH boot protocol (Xen, public/arch-x86/hvm/start_info.h). */
#ifndef ARCH_PVH_H
#define ARCH_PVH_H

#include <lwk/types.h>

#define PVH_START_MAGIC 0x336ec578

struct pvh_start_info {
	uint32_t magic;
	uint32_t version; /* 1 and up have the memory map */
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t command_line;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t memory_map_count;
	uint32_t reserved;
};

/* The type is E820's. */
#define PVH_MEMORY_RAM 1

struct pvh_memory {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

/*
 * Fills `platform` (RAM, RSDP) and the command line from what the boot loader left at `start_info`.
 */
void pvh_init(paddr_t start_info);

#endif
