/* SPDX-License-Identifier: Apache-2.0 */
/* Self-test of the page allocator: by rules on one CPU, then under stress from all at once. */
#include <lwk/cpu.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/selftest.h>
#include <lwk/time.h>
#include <lwk/topology.h>

#define STRESS_STEPS 50
#define STRESS_HELD 12
#define STRESS_ORDER_MAX 5

static uint64_t *page_words(paddr_t page)
{
	return phys_to_virt(page);
}

static uint64_t free_pages(void)
{
	uint64_t count = 0;

	for (unsigned int node = 0; node < topology.node_count; node++)
		count += page_node_usage(node).free_pages;
	return count;
}

static const char *test_rules(unsigned int node)
{
	if (!page_node_usage(node).total_pages)
		return NULL; /* a node of CPUs only */
	for (unsigned int order = 0; order <= PAGE_ORDER_2M; order++) {
		paddr_t block = page_alloc(order, node, PAGE_EXACT_NODE | PAGE_ZERO);
		uint64_t words = (PAGE_SIZE << order) / 8;

		if (!block)
			return selftest_failed("no block of order %u on node %u", order, node);
		SELFTEST_EXPECT(block % (PAGE_SIZE << order) == 0);
		SELFTEST_EXPECT(page_node(block) == (int)node);
		SELFTEST_EXPECT(page_words(block)[0] == 0 && page_words(block)[words - 1] == 0);
		page_words(block)[words - 1] = 1;
		page_free(block, order);
		SELFTEST_EXPECT(page_words(block)[words - 1] == 0xdbdbdbdbdbdbdbdb);
	}
	return NULL;
}

/* Takes all of a node, in blocks linked through their first words. Returns how many there were. */
static uint64_t take_all(unsigned int node, paddr_t *list)
{
	uint64_t count = 0;
	paddr_t block;

	*list = 0;
	for (int order = PAGE_ORDER_MAX; order >= 0; order--) {
		while ((block = page_alloc(order, node, PAGE_EXACT_NODE))) {
			page_words(block)[0] = *list;
			page_words(block)[1] = order;
			*list = block;
			count++;
		}
	}
	return count;
}

static void give_all(paddr_t list)
{
	while (list) {
		paddr_t block = list;

		list = page_words(block)[0];
		page_free(block, page_words(block)[1]);
	}
}

/* Fewest when all free neighbours are merged. */
static uint64_t count_blocks(unsigned int node)
{
	paddr_t list;
	uint64_t count = take_all(node, &list);

	give_all(list);
	return count;
}

static const char *test_exhaustion(unsigned int node)
{
	paddr_t list, elsewhere;
	uint64_t before = page_node_usage(node).free_pages, left;
	const char *why = NULL;

	take_all(node, &list);
	left = page_node_usage(node).free_pages;
	elsewhere = page_alloc(0, node, 0);
	if (left)
		why = selftest_failed("node %u has %lu pages that nobody can get", node, left);
	else if (elsewhere && page_node(elsewhere) == (int)node)
		why = selftest_failed("node %u was empty, and gave 0x%lx", node, elsewhere);
	else if (!elsewhere && topology.node_count > 1)
		why = selftest_failed("node %u was empty, and no other helped out", node);
	if (elsewhere)
		page_free(elsewhere, 0);
	give_all(list);
	if (!why && page_node_usage(node).free_pages != before)
		why = selftest_failed("node %u: %lu pages free before, %lu after", node, before,
				      page_node_usage(node).free_pages);
	return why;
}

/* xorshift64; the state is never 0 */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

struct held {
	paddr_t block;
	unsigned int order;
};

static uint64_t mark_of(const struct held *held)
{
	return held->block ^ (uint64_t)this_cpu()->id << 48 ^ held->order;
}

/* First and last word carry the owner's mark: a block that two own shows. */
static bool take(struct held *held, uint64_t random)
{
	held->order = random % (STRESS_ORDER_MAX + 1);
	held->block = page_alloc(held->order, (random >> 8) % topology.node_count, 0);
	if (held->block) {
		page_words(held->block)[0] = mark_of(held);
		page_words(held->block)[(PAGE_SIZE << held->order) / 8 - 1] = mark_of(held);
	}
	return held->block;
}

static bool give(struct held *held)
{
	bool mine = page_words(held->block)[0] == mark_of(held) &&
		    page_words(held->block)[(PAGE_SIZE << held->order) / 8 - 1] == mark_of(held);

	page_free(held->block, held->order);
	held->block = 0;
	return mine;
}

static void stress(void *errors)
{
	struct held held[STRESS_HELD] = { 0 };
	uint64_t state = time_ns() << 10 | this_cpu()->id | 1 << 20;
	uint32_t bad = 0;

	for (unsigned int i = 0; i < STRESS_STEPS; i++) {
		uint64_t random = next_random(&state);
		struct held *one = &held[(random >> 32) % STRESS_HELD];

		if (one->block)
			bad += !give(one);
		else
			take(one, random);
	}
	for (unsigned int i = 0; i < STRESS_HELD; i++)
		if (held[i].block)
			bad += !give(&held[i]);
	__atomic_add_fetch((uint32_t *)errors, bad, __ATOMIC_RELAXED);
}

static const char *test_stress(void)
{
	uint64_t before = free_pages();
	uint32_t errors = 0;

	selftest_together(stress, &errors);
	if (errors)
		return selftest_failed("%u blocks had two owners at a time", errors);
	if (free_pages() != before)
		return selftest_failed("%lu pages free before the stress, %lu after", before,
				       free_pages());
	return NULL;
}

static const char *test_nodes(const char *(*test)(unsigned int node))
{
	const char *why = NULL;

	for (unsigned int node = 0; node < topology.node_count && !why; node++)
		why = test(node);
	return why;
}

static uint64_t blocks_before[MAX_NODES];

static const char *test_merging(unsigned int node)
{
	uint64_t blocks = count_blocks(node);

	if (blocks != blocks_before[node])
		return selftest_failed("node %u: %lu blocks before, %lu after: they do not merge",
				       node, blocks_before[node], blocks);
	return NULL;
}

const char *selftest_memory(void)
{
	const char *why;

	for (unsigned int node = 0; node < topology.node_count; node++)
		blocks_before[node] = count_blocks(node);
	page_fill_freed(true);
	why = test_nodes(test_rules);
	page_fill_freed(false); /* it would take most of the time, and CPUs would hardly meet */
	if (!why)
		why = test_stress();
	if (!why)
		why = test_nodes(test_exhaustion);
	if (!why)
		why = test_nodes(test_merging);
	return why;
}
