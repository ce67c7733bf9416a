/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's half of an address space, as the CPU reads it. A place has a page that is shown with some
 * protection, or hidden: kept, and reached by nobody. Callers hold the space's lock.
 */
#ifndef LWK_USER_PAGING_H
#define LWK_USER_PAGING_H

#include <lwk/types.h>

#define LARGE_PAGE_SIZE MIB(2)

/* As in mmap(2). */
enum protection { PROTECTION_READ = 1, PROTECTION_WRITE = 2, PROTECTION_EXECUTE = 4 };

struct user_page {
	uint64_t address; /* of its first byte, or of what is not there */
	uint64_t size;
	paddr_t page; /* 0: there is none here */
	bool shown;
};

/* A root with the kernel's half alone. 0: no memory. */
paddr_t user_tables_new(void);

/* Frees the tables. No page is left in them, and no CPU uses them. */
void user_tables_free(paddr_t root);

/* What is at an address. */
struct user_page user_page_at(paddr_t root, uint64_t address);

/* Shows a page of `size` (PAGE_SIZE or LARGE_PAGE_SIZE) where none is. -ENOMEM. */
int user_page_map(paddr_t root, uint64_t address, paddr_t page, uint64_t size, uint32_t protection);

/* Shows it with another protection; without any, hides it. */
void user_page_protect(paddr_t root, uint64_t address, uint32_t protection);

/* Makes small pages of a large one. -ENOMEM. */
int user_page_split(paddr_t root, uint64_t address);

/* The place has no page any more. */
void user_page_clear(paddr_t root, uint64_t address);

/* This CPU uses these tables from now on; 0: the kernel's own. Interrupts off. */
void user_tables_use(paddr_t root);

/* All CPUs that may know pages that are hidden now forget them. Interrupts on. */
void user_tables_flush(paddr_t root);

/* No CPU uses these tables any more. Interrupts on. */
void user_tables_drop(paddr_t root);

#endif
