/* SPDX-License-Identifier: Apache-2.0 */
/* The user's half of an address space. */
#include <arch/boot.h>
#include <arch/pte.h>
#include <ikc/ikc_walk.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/string.h>
#include <lwk/user_paging.h>
#include <lwk/xcall.h>

#define PTE_HIDDEN IKC_WALK_HIDDEN /* the CPU ignores all of an entry that is not present */
#define PTE_TABLE (PTE_PRESENT | PTE_WRITABLE | PTE_USER)

#define ENTRIES 512
#define USER_ENTRIES 256 /* of the root: the lower half */

/* An entry that is no table, and its level. */
struct place {
	uint64_t *entry;
	int level;
};

static bool is_leaf(uint64_t entry, int level)
{
	return level == 1 || entry & PTE_LARGE || !(entry & PTE_PRESENT);
}

static struct place find(paddr_t root, uint64_t address)
{
	uint64_t *table = phys_to_virt(root);

	for (int level = LEVELS;; level--) {
		uint64_t *entry = &table[address >> LEVEL_SHIFT(level) & (ENTRIES - 1)];

		if (is_leaf(*entry, level))
			return (struct place){ entry, level };
		table = phys_to_virt(*entry & PTE_ADDRESS);
	}
}

/* The CPUs, and the proxy's kernel, may be reading this very entry. */
static void set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t protection_bits(uint32_t protection)
{
	uint64_t bits = PTE_USER;

	if (!protection)
		return PTE_HIDDEN;
	bits |= PTE_PRESENT;
	if (protection & PROTECTION_WRITE)
		bits |= PTE_WRITABLE;
	if (!(protection & PROTECTION_EXECUTE))
		bits |= PTE_NO_EXECUTE;
	return bits;
}

paddr_t user_tables_new(void)
{
	paddr_t root = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	const uint64_t *kernel = phys_to_virt(paging_root);
	uint64_t *table;

	if (!root)
		return 0;
	table = phys_to_virt(root);
	memcpy(table + USER_ENTRIES, kernel + USER_ENTRIES, (ENTRIES - USER_ENTRIES) * sizeof(*table));
	return root;
}

static void free_table(paddr_t page, int level, int entries)
{
	const uint64_t *table = phys_to_virt(page);

	for (int i = 0; i < entries; i++) {
		if (!is_leaf(table[i], level))
			free_table(table[i] & PTE_ADDRESS, level - 1, ENTRIES);
		else if (table[i])
			panic("user paging: a page is left: 0x%lx", table[i]);
	}
	page_free(page, 0);
}

void user_tables_free(paddr_t root)
{
	free_table(root, LEVELS, USER_ENTRIES);
}

struct user_page user_page_at(paddr_t root, uint64_t address)
{
	struct place place = find(root, address);
	uint64_t entry = *place.entry;

	return (struct user_page){
		.address = ALIGN_DOWN(address, LEVEL_SIZE(place.level)),
		.size = LEVEL_SIZE(place.level),
		.page = entry & PTE_ADDRESS,
		.shown = entry & PTE_PRESENT,
	};
}

int user_page_map(paddr_t root, uint64_t address, paddr_t page, uint64_t size, uint32_t protection)
{
	int level = size == PAGE_SIZE ? 1 : 2;
	struct place place = find(root, address);

	while (place.level > level) {
		paddr_t table = page_alloc(0, NODE_LOCAL, PAGE_ZERO);

		if (!table)
			return -ENOMEM;
		set(place.entry, table | PTE_TABLE);
		place = find(root, address);
	}
	ASSERT(place.level == level && !*place.entry);
	set(place.entry, page | protection_bits(protection) | (level > 1 ? PTE_LARGE : 0));
	return 0;
}

void user_page_protect(paddr_t root, uint64_t address, uint32_t protection)
{
	struct place place = find(root, address);
	uint64_t kept = *place.entry & (PTE_ADDRESS | PTE_LARGE);

	set(place.entry, kept | protection_bits(protection));
}

int user_page_split(paddr_t root, uint64_t address)
{
	struct place place = find(root, address);
	paddr_t page = page_alloc(0, NODE_LOCAL, 0);
	uint64_t entry = *place.entry & ~PTE_LARGE;
	uint64_t *table;

	ASSERT(place.level == 2);
	if (!page)
		return -ENOMEM;
	table = phys_to_virt(page);
	for (int i = 0; i < ENTRIES; i++)
		table[i] = entry + i * PAGE_SIZE;
	set(place.entry, page | PTE_TABLE);
	return 0;
}

void user_page_clear(paddr_t root, uint64_t address)
{
	set(find(root, address).entry, 0);
}

/* ---- which CPU uses which ---- */

HOT void user_tables_use(paddr_t root)
{
	struct cpu *cpu = this_cpu();

	if (cpu->user_tables == root)
		return;
	cr3_write(root ? root : paging_root);
	__atomic_store_n(&cpu->user_tables, root, __ATOMIC_RELEASE);
}

static void flush_here(void *root)
{
	if (this_cpu()->user_tables == (paddr_t)root)
		cr3_write((paddr_t)root);
}

static void drop_here(void *root)
{
	if (this_cpu()->user_tables == (paddr_t)root)
		user_tables_use(0);
}

/*
 * A CPU that begins to use the tables meanwhile reads them as they are now: it has nothing to forget. The
 * fence is for that: entries were stored before CPUs are looked at.
 */
static void on_users(paddr_t root, xcall_fn fn)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int id = 0; id < cpu_count; id++)
		if (__atomic_load_n(&cpus[id]->user_tables, __ATOMIC_ACQUIRE) == root)
			xcall_one(id, fn, (void *)root);
}

void user_tables_flush(paddr_t root)
{
	on_users(root, flush_here);
}

void user_tables_drop(paddr_t root)
{
	on_users(root, drop_here);
}
