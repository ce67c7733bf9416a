/* SPDX-License-Identifier: Apache-2.0 */
/* Memory before there is a page allocator. */
#include <arch/boot.h>
#include <lwk/early_alloc.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/platform.h>
#include <lwk/string.h>

static paddr_t next; /* 0: not begun */
static bool closed;

/* The end of the RAM that the image lies in, as far as the boot page tables map it. */
static paddr_t limit(void)
{
	for (unsigned int i = 0; i < platform.ram_count; i++)
		if (platform.ram[i].base <= KERNEL_PHYSICAL && next <= platform.ram[i].end)
			return MIN(platform.ram[i].end, GIB(4));
	return 0;
}

void *early_alloc(size_t size)
{
	paddr_t block;

	if (!next)
		next = virt_to_phys(kernel_end);
	size = ALIGN_UP(size, PAGE_SIZE);
	if (closed || next + size > limit())
		panic("early_alloc: no %lu bytes at 0x%lx, RAM ends at 0x%lx%s", size, next,
		      limit(), closed ? " (closed)" : "");
	block = next;
	next += size;
	return memset(phys_to_virt(block), 0, size);
}

paddr_t early_alloc_close(void)
{
	closed = true;
	return next;
}
