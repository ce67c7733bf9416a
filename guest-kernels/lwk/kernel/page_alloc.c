/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Physical pages: a buddy allocator per NUMA node.
 *
 * A node's RAM is one or more regions. A region begins with its table of states, a byte for each
 * page, so a node's bookkeeping is in the node's own memory. Free blocks are linked through their
 * first bytes.
 */
#include <arch/boot.h>
#include <lwk/cpu.h>
#include <lwk/early_alloc.h>
#include <lwk/log.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/platform.h>
#include <lwk/spinlock.h>
#include <lwk/string.h>
#include <lwk/topology.h>

#define MAX_REGIONS (MAX_RAM_RANGES + MAX_MEMORY_RANGES)

/* The state of a block's first page; the others have 0. */
#define STATE_FREE 0x40
#define STATE_USED 0x80
#define STATE_ORDER 0x1f

#define JUNK 0xdb

#define BLOCK_SIZE(order) (PAGE_SIZE << (order))

struct free_block {
	struct free_block *next;
	struct free_block **link; /* what points here */
};

struct region {
	paddr_t base; /* [base, end) is managed */
	paddr_t end;
	uint32_t node;
	uint8_t *states; /* under the node's lock */
};

struct node {
	struct spinlock lock;
	struct free_block *free[PAGE_ORDER_MAX + 1];
	struct page_usage usage;
	uint8_t nearest[MAX_NODES]; /* constant: all nodes, nearest first, itself at 0 */
} __attribute__((aligned(CACHE_LINE)));

static struct node nodes[MAX_NODES];
static struct region regions[MAX_REGIONS];
static unsigned int region_count;
static bool fill_freed;

static struct region *find_region(paddr_t page)
{
	for (unsigned int i = 0; i < region_count; i++)
		if (page >= regions[i].base && page < regions[i].end)
			return &regions[i];
	return NULL;
}

static uint8_t *state_of(const struct region *region, paddr_t page)
{
	return &region->states[(page - region->base) >> PAGE_SHIFT];
}

/* The node's lock is held by the callers of these. */

static void push_free(struct node *node, struct region *region, paddr_t page, unsigned int order)
{
	struct free_block *block = phys_to_virt(page);

	block->next = node->free[order];
	block->link = &node->free[order];
	if (block->next)
		block->next->link = &block->next;
	node->free[order] = block;
	*state_of(region, page) = STATE_FREE | order;
}

static void unlink_free(struct region *region, paddr_t page)
{
	struct free_block *block = phys_to_virt(page);

	*block->link = block->next;
	if (block->next)
		block->next->link = block->link;
	*state_of(region, page) = 0;
}

static paddr_t take_block(struct node *node, unsigned int order)
{
	unsigned int found = order;
	struct region *region;
	paddr_t page;

	while (found <= PAGE_ORDER_MAX && !node->free[found])
		found++;
	if (found > PAGE_ORDER_MAX)
		return 0;
	page = virt_to_phys(node->free[found]);
	region = find_region(page);
	unlink_free(region, page);
	while (found > order) {
		found--;
		push_free(node, region, page + BLOCK_SIZE(found), found);
	}
	*state_of(region, page) = STATE_USED | order;
	node->usage.free_pages -= 1ul << order;
	return page;
}

static void give_block(struct node *node, struct region *region, paddr_t page, unsigned int order)
{
	*state_of(region, page) = 0;
	node->usage.free_pages += 1ul << order;
	for (; order < PAGE_ORDER_MAX; order++) {
		paddr_t buddy = page ^ BLOCK_SIZE(order);

		if (buddy < region->base || buddy + BLOCK_SIZE(order) > region->end ||
		    *state_of(region, buddy) != (STATE_FREE | order))
			break;
		unlink_free(region, buddy);
		page = MIN(page, buddy);
	}
	push_free(node, region, page, order);
}

paddr_t page_alloc(unsigned int order, int wanted, unsigned int flags)
{
	unsigned int first = wanted == NODE_LOCAL ? this_cpu()->node : (unsigned int)wanted;
	unsigned int tries = flags & PAGE_EXACT_NODE ? 1 : topology.node_count;
	paddr_t page = 0;

	if (first >= topology.node_count || order > PAGE_ORDER_MAX)
		panic("page_alloc: order %u (of %u) on node %u (of %u)", order, PAGE_ORDER_MAX,
		      first, topology.node_count);
	for (unsigned int i = 0; i < tries && !page; i++) {
		struct node *node = &nodes[nodes[first].nearest[i]];
		uint64_t lock_flags = spin_lock(&node->lock);

		page = take_block(node, order);
		spin_unlock(&node->lock, lock_flags);
	}
	if (page && flags & PAGE_ZERO)
		memset(phys_to_virt(page), 0, BLOCK_SIZE(order));
	return page;
}

static void check_used(const struct region *region, paddr_t page, unsigned int order)
{
	uint8_t state = *state_of(region, page);

	if (state == (STATE_USED | order))
		return;
	if (state & STATE_FREE)
		panic("page_free: 0x%lx is free already (order %u)", page, state & STATE_ORDER);
	if (state & STATE_USED)
		panic("page_free: 0x%lx was given out with order %u, not %u", page,
		      state & STATE_ORDER, order);
	panic("page_free: 0x%lx is not the start of a block that was given out", page);
}

void page_free(paddr_t page, unsigned int order)
{
	struct region *region = find_region(page);
	struct node *node;
	uint64_t flags;

	if (!region || order > PAGE_ORDER_MAX || page & (PAGE_SIZE - 1))
		panic("page_free: 0x%lx (order %u) is not the page allocator's", page, order);
	node = &nodes[region->node];
	flags = spin_lock(&node->lock);
	check_used(region, page, order);
	if (fill_freed) {
		*state_of(region, page) = 0; /* nobody's: the lock is not held for so long */
		spin_unlock(&node->lock, flags);
		memset(phys_to_virt(page), JUNK, BLOCK_SIZE(order));
		flags = spin_lock(&node->lock);
	}
	give_block(node, region, page, order);
	spin_unlock(&node->lock, flags);
}

void page_split(paddr_t block, unsigned int order, unsigned int into)
{
	struct region *region = find_region(block);
	struct node *node;
	uint64_t flags;

	if (!region || into > order)
		panic("page_split: 0x%lx (order %u) into order %u", block, order, into);
	node = &nodes[region->node];
	flags = spin_lock(&node->lock);
	check_used(region, block, order);
	for (paddr_t page = block; page < block + BLOCK_SIZE(order); page += BLOCK_SIZE(into))
		*state_of(region, page) = STATE_USED | into;
	spin_unlock(&node->lock, flags);
}

int page_node(paddr_t page)
{
	const struct region *region = find_region(page);

	return region ? (int)region->node : -1;
}

struct page_usage page_node_usage(unsigned int id)
{
	struct page_usage usage;
	uint64_t flags = spin_lock(&nodes[id].lock);

	usage = nodes[id].usage;
	spin_unlock(&nodes[id].lock, flags);
	return usage;
}

void page_fill_freed(bool on)
{
	fill_freed = on;
}

/* Cuts [base, end) into the largest aligned blocks: a few steps, whatever its size. */
static void add_region(paddr_t base, paddr_t end, uint32_t node_id)
{
	uint64_t table = ALIGN_UP((end - base) >> PAGE_SHIFT, PAGE_SIZE);
	struct node *node = &nodes[node_id];
	struct region *region;

	if (end - base <= table)
		return;
	if (region_count == MAX_REGIONS)
		panic("page_alloc: more than %u regions of RAM", MAX_REGIONS);
	region = &regions[region_count++];
	*region = (struct region){ base + table, end, node_id,
				   memset(phys_to_virt(base), 0, table) };
	node->usage.total_pages += (end - region->base) >> PAGE_SHIFT;

	for (paddr_t page = region->base; page < end; ) {
		unsigned int order = MIN(__builtin_ctzl(page) - PAGE_SHIFT, PAGE_ORDER_MAX);

		while (page + BLOCK_SIZE(order) > end)
			order--;
		give_block(node, region, page, order);
		page += BLOCK_SIZE(order);
	}
}

/* Without what the kernel image and early_alloc() occupy. */
static void add_unoccupied(paddr_t base, paddr_t end, uint32_t node, paddr_t kernel_phys_end)
{
	if (base < KERNEL_PHYSICAL)
		add_region(base, MIN(end, (paddr_t)KERNEL_PHYSICAL), node);
	if (end > kernel_phys_end)
		add_region(MAX(base, kernel_phys_end), end, node);
}

/*
 * One range of the firmware's RAM, divided by the nodes' ranges; what no node claims goes to node
 * 0.
 */
static void add_ram(paddr_t base, paddr_t end, paddr_t kernel_phys_end)
{
	while (base < end) {
		paddr_t next = end;
		uint32_t node = 0;

		for (unsigned int i = 0; i < topology.memory_count; i++) {
			const struct topology_memory *memory = &topology.memory[i];
			paddr_t memory_end = memory->base + memory->size;

			if (base >= memory->base && base < memory_end) {
				node = memory->node;
				next = MIN(end, memory_end);
				break;
			}
			if (memory->base > base)
				next = MIN(next, memory->base);
		}
		add_unoccupied(base, next, node, kernel_phys_end);
		base = next;
	}
}

static void sort_nearest(unsigned int id)
{
	const uint8_t *distance = topology.distance[id];
	uint8_t *nearest = nodes[id].nearest;

	for (unsigned int other = 0; other < topology.node_count; other++) {
		unsigned int at = other;

		for (; at > 0 && distance[nearest[at - 1]] > distance[other]; at--)
			nearest[at] = nearest[at - 1];
		nearest[at] = other;
	}
	/* itself first, even where a table of distances makes another as near */
	for (unsigned int at = 0; nearest[0] != id; at++) {
		if (nearest[at] == id) {
			memmove(nearest + 1, nearest, at);
			nearest[0] = id;
		}
	}
}

void page_alloc_init(void)
{
	paddr_t kernel_phys_end = early_alloc_close();

	for (unsigned int id = 0; id < topology.node_count; id++)
		sort_nearest(id);
	for (unsigned int i = 0; i < platform.ram_count; i++) {
		const struct ram_range *ram = &platform.ram[i];

		if (ram->end > LOW_MEMORY_END)
			add_ram(MAX(ram->base, (paddr_t)LOW_MEMORY_END), ram->end, kernel_phys_end);
	}
	for (unsigned int id = 0; id < topology.node_count; id++)
		log_info("memory: node %u: %lu of %lu MiB free", id,
			 nodes[id].usage.free_pages >> (20 - PAGE_SHIFT),
			 topology_node_memory(id) >> 20);
	paging_boot_over();
}
