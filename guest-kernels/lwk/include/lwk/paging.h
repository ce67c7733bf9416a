/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's half of the address space. */
#ifndef LWK_PAGING_H
#define LWK_PAGING_H

#include <lwk/memory_map.h>
#include <lwk/types.h>

enum memory_type { MEMORY_WRITE_BACK, MEMORY_WRITE_COMBINING, MEMORY_UNCACHED };

/* Builds the page tables that the drawing in lwk/memory_map.h promises, and switches to them. */
void paging_init(void);

/*
 * Maps physical addresses that are not RAM (a BAR, ECAM) for good, with the largest pages that fit.
 * `base` and `size` need no alignment. Returns NULL when there is no memory for page tables.
 */
void *map_physical(paddr_t base, uint64_t size, enum memory_type type);

/* From now on page tables come from page_alloc(). */
void paging_boot_over(void);

/* Maps whole pages of RAM at a kernel address, read-write, no execute. -ENOMEM, -EEXIST. */
int map_kernel_ram(uint64_t address, paddr_t base, uint64_t size);

/* RAM only. */
static inline void *phys_to_virt(paddr_t address)
{
	return (void *)(address + DIRECT_BASE);
}

/* For addresses in the direct map and in the kernel image. */
static inline paddr_t virt_to_phys(const volatile void *pointer)
{
	uint64_t address = (uint64_t)pointer;

	return address >= KERNEL_OFFSET ? address - KERNEL_OFFSET : address - DIRECT_BASE;
}

#endif
