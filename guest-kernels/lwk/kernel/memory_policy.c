/* SPDX-License-Identifier: Apache-2.0 */
/* From which NUMA nodes a program's memory comes. */
#include <lwk/memory_policy.h>
#include <lwk/image.h>
#include <lwk/page_alloc.h>
#include <lwk/topology.h>

static uint64_t all_nodes(void)
{
	return topology.node_count < 64 ? (1ul << topology.node_count) - 1 : UINT64_MAX;
}

bool memory_policy_is_valid(const struct memory_policy *policy)
{
	if (policy->mode == MEMORY_DEFAULT || policy->mode == MEMORY_LOCAL)
		return !policy->nodes;
	if (policy->mode == MEMORY_PREFERRED && !policy->nodes)
		return true;
	return policy->mode <= MEMORY_PREFERRED_MANY && policy->nodes && !(policy->nodes & ~all_nodes());
}

static unsigned int count_bits(uint64_t word)
{
	unsigned int count = 0;

	for (; word; word &= word - 1)
		count++;
	return count;
}

/* The set bit after so many others, round and round. */
static unsigned int nth_node(uint64_t nodes, uint32_t n)
{
	for (n %= count_bits(nodes); n; n--)
		nodes &= nodes - 1;
	return __builtin_ctzl(nodes);
}

static paddr_t from_these(uint64_t nodes, unsigned int order)
{
	for (; nodes; nodes &= nodes - 1) {
		paddr_t block = page_alloc(order, __builtin_ctzl(nodes), PAGE_ZERO | PAGE_EXACT_NODE);

		if (block)
			return block;
	}
	return 0;
}

static paddr_t take(struct memory_policy *policy, unsigned int order)
{
	paddr_t block;

	switch (policy->mode) {
	case MEMORY_BIND:
		return from_these(policy->nodes, order);
	case MEMORY_PREFERRED_MANY:
		block = from_these(policy->nodes, order);
		return block ? block : page_alloc(order, NODE_LOCAL, PAGE_ZERO);
	case MEMORY_PREFERRED:
		return page_alloc(order, policy->nodes ? __builtin_ctzl(policy->nodes) : NODE_LOCAL, PAGE_ZERO);
	case MEMORY_INTERLEAVE:
		return page_alloc(order, nth_node(policy->nodes, policy->turn), PAGE_ZERO);
	default:
		return page_alloc(order, NODE_LOCAL, PAGE_ZERO);
	}
}

/* Interleaved memory takes one page at a time, large where it can be. */
paddr_t memory_policy_alloc(struct memory_policy *policy, unsigned int *order)
{
	paddr_t block;

	if (policy->mode == MEMORY_INTERLEAVE)
		*order = *order >= PAGE_ORDER_2M ? PAGE_ORDER_2M : 0;
	while (!(block = take(policy, *order)) && *order)
		*order = policy->mode == MEMORY_INTERLEAVE ? 0 : *order - 1;
	if (!block && image_drop_all())
		block = take(policy, *order);
	policy->turn++;
	return block;
}
