/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical pages: a buddy allocator per NUMA node. A block of order n is 2^n pages, aligned to its
 * size.
 */
#ifndef LWK_PAGE_ALLOC_H
#define LWK_PAGE_ALLOC_H

#include <lwk/types.h>

#define PAGE_ORDER_MAX 18 /* 1 GiB */
#define PAGE_ORDER_2M 9
#define NODE_LOCAL (-1)

enum page_flags {
	PAGE_EXACT_NODE = 1, /* fail rather than take another node's memory */
	PAGE_ZERO = 2,       /* filled with zeroes; else with whatever was there */
};

/*
 * From any context. `node` is tried first, then, without PAGE_EXACT_NODE, the others, nearest
 * first. NODE_LOCAL is this CPU's node. Returns 0 when there is none (page 0 is never given out).
 */
paddr_t page_alloc(unsigned int order, int node, unsigned int flags);

/* Gives a whole block back. Panics if it was not given out by page_alloc() with this very order. */
void page_free(paddr_t block, unsigned int order);

/* Makes blocks of order `into` out of one that was given out; each is then given back by itself. */
void page_split(paddr_t block, unsigned int order, unsigned int into);

struct page_usage {
	uint64_t total_pages;
	uint64_t free_pages;
};
struct page_usage page_node_usage(unsigned int node);

/* The node that owns this page, or -1 if the allocator does not manage it. */
int page_node(paddr_t page);

void page_alloc_init(void);

/* For the self-test: freed memory is filled with junk from now on. */
void page_fill_freed(bool on);

#endif
