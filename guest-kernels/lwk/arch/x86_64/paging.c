/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's page tables: the drawing in lwk/memory_map.h, made of the largest pages that fit. */
#include <arch/boot.h>
#include <arch/pte.h>
#include <lwk/early_alloc.h>
#include <lwk/errno.h>
#include <lwk/log.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/platform.h>
#include <lwk/spinlock.h>

#define READ_EXECUTE (PTE_PRESENT | PTE_GLOBAL)
#define READ_ONLY (PTE_PRESENT | PTE_GLOBAL | PTE_NO_EXECUTE)
#define READ_WRITE (PTE_PRESENT | PTE_GLOBAL | PTE_NO_EXECUTE | PTE_WRITABLE)

paddr_t paging_root;

static bool boot_over; /* page_alloc() works */
static int largest_level = 2;

/* protects the tables of the kernel's half, and: */
static struct spinlock lock = SPINLOCK_INIT;
static uint64_t device_next = DEVICES_BASE;

static uint64_t *new_table(void)
{
	paddr_t page;

	if (!boot_over)
		return early_alloc(PAGE_SIZE);
	page = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	return page ? phys_to_virt(page) : NULL;
}

/*
 * The entry for `address` in the table of this level; NULL without memory for the tables above it.
 */
static uint64_t *find_entry(uint64_t address, int level)
{
	uint64_t *table = phys_to_virt(paging_root);

	for (int at = LEVELS;; at--) {
		uint64_t *entry = &table[(address >> LEVEL_SHIFT(at)) & 511];

		if (at == level)
			return entry;
		if (*entry & PTE_LARGE)
			panic("paging: 0x%lx is inside a large page (0x%lx)", address, *entry);
		if (!(*entry & PTE_PRESENT)) {
			uint64_t *below = new_table();

			if (!below)
				return NULL;
			*entry = virt_to_phys(below) | PTE_PRESENT | PTE_WRITABLE;
		}
		table = phys_to_virt(*entry & PTE_ADDRESS);
	}
}

static int largest_fit(uint64_t address, paddr_t target, uint64_t size)
{
	int level = largest_level;

	while (level > 1 &&
	       ((address | target) & (LEVEL_SIZE(level) - 1) || size < LEVEL_SIZE(level)))
		level--;
	return level;
}

/*
 * Page-aligned. Whatever was mapped there stays if memory runs out half way: the caller gave up
 * then anyway.
 */
static int map(uint64_t address, paddr_t target, uint64_t size, uint64_t flags)
{
	while (size) {
		int level = largest_fit(address, target, size);
		uint64_t *entry = find_entry(address, level);

		if (!entry)
			return -ENOMEM;
		if (*entry & PTE_PRESENT)
			return -EEXIST;
		*entry = target | flags | (level > 1 ? PTE_LARGE : 0);
		address += LEVEL_SIZE(level);
		target += LEVEL_SIZE(level);
		size -= LEVEL_SIZE(level);
	}
	return 0;
}

static void map_image(const char *start, const char *end, uint64_t flags)
{
	if (map((uint64_t)start, virt_to_phys(start), ALIGN_UP(end - start, PAGE_SIZE), flags))
		panic("paging: the kernel image at %p overlaps itself", start);
}

/*
 * Rounded outwards to 2 MiB: ranges may then touch, so each starts no lower than the last one
 * ended.
 */
static void map_ram(void)
{
	paddr_t done = 0;

	for (unsigned int i = 0; i < platform.ram_count; i++) {
		paddr_t base = MAX(done, ALIGN_DOWN(platform.ram[i].base, MIB(2)));
		paddr_t end = ALIGN_UP(platform.ram[i].end, MIB(2));

		if (base >= end)
			continue;
		if (end > DIRECT_SIZE)
			panic("RAM up to 0x%lx: the direct map ends at 0x%lx", end, DIRECT_SIZE);
		if (map(DIRECT_BASE + base, base, end - base, READ_WRITE))
			panic("paging: RAM at 0x%lx is mapped twice", base);
		done = end;
	}
}

void paging_init(void)
{
	struct cpuid features = cpuid(0x80000001, 0);

	if (features.edx & 1 << 26)
		largest_level = 3;
	paging_root = virt_to_phys(early_alloc(PAGE_SIZE));
	map_image(kernel_start, rodata_start, READ_EXECUTE);
	map_image(rodata_start, data_start, READ_ONLY);
	map_image(data_start, symbols_start, READ_WRITE);
	map_image(symbols_start, kernel_end, READ_ONLY);
	map_ram();
	cr3_write(paging_root);
}

void paging_boot_over(void)
{
	boot_over = true;
}

int map_kernel_ram(uint64_t address, paddr_t base, uint64_t size)
{
	uint64_t flags = spin_lock(&lock);
	int err = map(address, base, size, READ_WRITE);

	spin_unlock(&lock, flags);
	return err;
}

/* Entries of the PAT, see memory_type_init(). */
static uint64_t type_flags(enum memory_type type)
{
	switch (type) {
	case MEMORY_WRITE_BACK:
		return 0;
	case MEMORY_WRITE_COMBINING:
		return PTE_WRITE_THROUGH;
	case MEMORY_UNCACHED:
		break;
	}
	return PTE_WRITE_THROUGH | PTE_CACHE_DISABLE;
}

void *map_physical(paddr_t base, uint64_t size, enum memory_type type)
{
	paddr_t start = ALIGN_DOWN(base, PAGE_SIZE);
	uint64_t length = ALIGN_UP(base + size, PAGE_SIZE) - start;
	uint64_t alignment = LEVEL_SIZE(largest_fit(0, start, length));
	uint64_t address, flags;
	int err;

	flags = spin_lock(&lock);
	address = ALIGN_UP(device_next, alignment);
	device_next = address + length + PAGE_SIZE; /* an unmapped page behind each */
	err = map(address, start, length, READ_WRITE | type_flags(type));
	spin_unlock(&lock, flags);
	return err ? NULL : (void *)(address + (base - start));
}
