/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's address space: areas, and the pages in them. An area has all of its pages from the beginning,
 * contiguous and large where that is possible, so no program waits for one; only an area that may not be
 * touched at all (PROT_NONE) has none until it may.
 *
 * Ranges are half-open, page-aligned, and lie between IKC_USER_START and IKC_USER_END: space_range_check().
 * Callers hold the space (space_enter).
 */
#ifndef LWK_SPACE_H
#define LWK_SPACE_H

#include <lwk/image.h>
#include <lwk/memory_policy.h>
#include <lwk/types.h>
#include <lwk/user_paging.h>

struct area {
	struct area *next;
	uint64_t start;
	uint64_t end;
	uint32_t protection;
	struct memory_policy policy; /* of pages that it will have */
};

struct space {
	bool busy; /* somebody holds it */
	paddr_t root;
	struct area *areas; /* by address */
	struct area *unused;
	struct area_page *area_pages;
	uint64_t heap_start;
	uint64_t heap_end; /* as the program has set it: any byte */
	uint64_t page_count; /* that programs have in it */
	struct image_place images[IMAGES_OF_SPACE];
};

/* -ENOMEM. */
int space_init(struct space *space);

/* Gives everything back. No CPU uses it, and no proxy reaches it any more. */
void space_destroy(struct space *space);

/* Waits until nobody else holds it; lets other threads of this CPU run meanwhile. In a thread. */
void space_enter(struct space *space);
bool space_try_enter(struct space *space);
void space_leave(struct space *space);

/* 0 or -EINVAL: not aligned, empty, or no place for a program. */
int space_range_check(uint64_t start, uint64_t size);

/* A place for so many bytes, the highest there is; 0: none. */
uint64_t space_find_gap(const struct space *space, uint64_t size);

/* True if nothing is there. */
bool space_is_free(const struct space *space, uint64_t start, uint64_t end);

/* True if all of it is in areas. */
bool space_is_mapped(const struct space *space, uint64_t start, uint64_t end);

/* The area that an address is in, or NULL. */
const struct area *space_area_at(const struct space *space, uint64_t address);

/* Makes an area where none is; its pages are zero. -ENOMEM: nothing is there then. */
int space_map(struct space *space, uint64_t start, uint64_t end, uint32_t protection,
	      const struct memory_policy *policy);

/* As space_map, with small pages that are there already; they are the space's then, unless it gives -ENOMEM. */
int space_map_pages(struct space *space, uint64_t start, const paddr_t *pages, uint32_t count, uint32_t protection);

/*
 * Takes so many small pages out of a space that nobody uses any more and that will be destroyed. False: one of them is not there,
 * or is large, and nothing was taken.
 */
bool space_take_pages(struct space *space, uint64_t start, paddr_t *pages, uint32_t count);

/* Gives a range that is mapped another policy, for pages to come. -ENOMEM. */
int space_set_policy(struct space *space, uint64_t start, uint64_t end, const struct memory_policy *policy);

/*
 * Its pages move to where its policy wants them, what is in them too. It has been hidden, and nobody reaches it. -ENOMEM:
 * some have not moved; all are shown again.
 */
int space_move_hidden(struct space *space, uint64_t start, uint64_t end);

/* All of it is mapped. -ENOMEM. Where rights are taken away others may know the old ones: flush, and zap. */
int space_protect(struct space *space, uint64_t start, uint64_t end, uint32_t protection);

/* Unmapping goes by two steps: nobody reaches the pages any more (then flush, and zap), and they are free. */
int space_hide(struct space *space, uint64_t start, uint64_t end);
void space_free_hidden(struct space *space, uint64_t start, uint64_t end);

#endif
