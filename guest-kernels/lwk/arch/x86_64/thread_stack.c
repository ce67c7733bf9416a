/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel stacks of threads. */
#include <arch/thread_stack.h>
#include <lwk/memory_map.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/spinlock.h>
#include <lwk/topology.h>

#define STACK_PAGES 4
#define STRIDE ((1 + STACK_PAGES) * PAGE_SIZE) /* the guard is the lowest */

/* In the last bytes of a stack that nobody uses. */
struct unused {
	uint64_t next; /* a top; 0: none */
};

static struct spinlock lock = SPINLOCK_INIT;
static uint64_t unused[MAX_NODES]; /* under it, as all below */
static uint64_t next_base = THREAD_STACKS_BASE;

static struct unused *unused_at(uint64_t top)
{
	return (struct unused *)top - 1;
}

static bool map_pages(uint64_t base, unsigned int node)
{
	paddr_t pages[STACK_PAGES];
	unsigned int count;

	for (count = 0; count < STACK_PAGES; count++) {
		pages[count] = page_alloc(0, node, 0);
		if (!pages[count])
			break;
	}
	if (count == STACK_PAGES) {
		for (unsigned int i = 0; i < STACK_PAGES; i++)
			if (map_kernel_ram(base + (1 + i) * PAGE_SIZE, pages[i], PAGE_SIZE))
				return false; /* for want of tables: what is mapped so far stays, unused */
		return true;
	}
	while (count--)
		page_free(pages[count], 0);
	return false;
}

static uint64_t make(unsigned int node)
{
	uint64_t base;
	uint64_t flags = spin_lock(&lock);

	base = next_base;
	next_base += STRIDE;
	spin_unlock(&lock, flags);
	return map_pages(base, node) ? base + STRIDE : 0;
}

uint64_t thread_stack_take(unsigned int node)
{
	uint64_t flags = spin_lock(&lock);
	uint64_t top = unused[node];

	if (top)
		unused[node] = unused_at(top)->next;
	spin_unlock(&lock, flags);
	return top ? top : make(node);
}

void thread_stack_give(uint64_t top, unsigned int node)
{
	uint64_t flags = spin_lock(&lock);

	unused_at(top)->next = unused[node];
	unused[node] = top;
	spin_unlock(&lock, flags);
}

bool thread_stack_is_guard(uint64_t address)
{
	return address >= THREAD_STACKS_BASE && address < next_base &&
	       (address - THREAD_STACKS_BASE) % STRIDE < PAGE_SIZE;
}
