/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a program's address to a page of its partition, by the page tables of x86-64 (SDM 3A, 4.5) that its LWK
 * has made. They are a peer's words and may say anything: each entry is read once, each table is asked for by
 * its physical address, and nothing else of them is believed.
 */
#ifndef IKC_WALK_H
#define IKC_WALK_H

#include "ikc_atomic.h"
#include "ikc_process.h"

enum ikc_walk_constant {
	IKC_WALK_LEVELS = 4,
	IKC_WALK_ENTRIES = 512,
	IKC_WALK_BITS = 9,
	IKC_WALK_PAGE_SHIFT = 12,
};

#define IKC_WALK_PRESENT (1ull << 0)
#define IKC_WALK_WRITABLE (1ull << 1)
#define IKC_WALK_USER (1ull << 2)
#define IKC_WALK_LARGE (1ull << 7)
#define IKC_WALK_HIDDEN (1ull << 9) /* not present, but the process has the page still */
#define IKC_WALK_ADDRESS 0x000ffffffffff000ull

struct ikc_walk_page {
	uint64_t page; /* physical address of the 4 KiB that the address is in; not checked */
	bool writable;
};

/* What the tables end in at an address. */
struct ikc_walk_leaf {
	uint64_t size; /* of this and of what else ends so: a power of two, at a multiple of it */
	uint64_t page; /* where all of it is; not checked */
	bool is_page; /* the process has it; else there is nothing */
	bool shown; /* a program may reach it */
	bool writable;
};

/* The table at a physical address, all of it in the partition's RAM; NULL: there is none. */
typedef const uint64_t *(*ikc_walk_table)(void *context, uint64_t address);

/* The address is a program's. */
static inline struct ikc_walk_leaf ikc_walk_to_leaf(uint64_t root, uint64_t address, ikc_walk_table table_at,
						    void *context)
{
	struct ikc_walk_leaf leaf = { .writable = true };
	uint64_t table = root;
	int level;

	for (level = IKC_WALK_LEVELS;; level--) {
		int shift = IKC_WALK_PAGE_SHIFT + IKC_WALK_BITS * (level - 1);
		const uint64_t *entries = table_at(context, table);
		bool present, last;
		uint64_t entry;

		leaf.size = 1ull << shift;
		if (!entries)
			return leaf;
		entry = ikc_load(&entries[address >> shift & (IKC_WALK_ENTRIES - 1)]);
		present = entry & IKC_WALK_PRESENT && entry & IKC_WALK_USER;
		last = level == 1 || entry & IKC_WALK_LARGE;
		leaf.writable = leaf.writable && entry & IKC_WALK_WRITABLE;
		table = entry & IKC_WALK_ADDRESS;
		if (present && !last)
			continue;
		leaf.page = table & ~(leaf.size - 1);
		leaf.shown = present && level <= 3; /* no CPU has pages of 512 GiB */
		leaf.is_page = leaf.shown || (!(entry & IKC_WALK_PRESENT) && entry & IKC_WALK_HIDDEN && last &&
					      level <= 3);
		return leaf;
	}
}

/* True if a program may reach the address; *page is what is there then. */
static inline bool ikc_walk(uint64_t root, uint64_t address, ikc_walk_table table_at, void *context,
			    struct ikc_walk_page *page)
{
	struct ikc_walk_leaf leaf;

	if (address < IKC_USER_START || address >= IKC_USER_END)
		return false;
	leaf = ikc_walk_to_leaf(root, address, table_at, context);
	page->page = leaf.page + (address & (leaf.size - 1) & ~((1ull << IKC_WALK_PAGE_SHIFT) - 1));
	page->writable = leaf.writable;
	return leaf.shown;
}

#endif
