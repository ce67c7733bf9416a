/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on NUMA policies. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/page_alloc.h>
#include <lwk/topology.h>
#include <lwk/user_copy.h>

#define MODE_FLAGS 0xe000 /* MPOL_F_STATIC_NODES and its like: nodes here do not come and go */

#define MPOL_F_NODE 1
#define MPOL_F_ADDR 2
#define MPOL_F_MEMS_ALLOWED 4

#define MPOL_MF_FLAGS 7 /* STRICT, MOVE, MOVE_ALL */

/* Linux takes one bit less than it is told to. */
static int get_nodes(uint64_t from, uint64_t bits, uint64_t *nodes)
{
	*nodes = 0;
	if (!from || bits < 2)
		return 0;
	if (copy_from_user(nodes, from, MIN((bits - 1 + 7) / 8, sizeof(*nodes))))
		return -EFAULT;
	if (bits - 1 < 64)
		*nodes &= (1ul << (bits - 1)) - 1;
	return 0;
}

static int get_policy(uint64_t mode, uint64_t from, uint64_t bits, struct memory_policy *policy)
{
	int err = get_nodes(from, bits, &policy->nodes);

	policy->mode = mode & ~MODE_FLAGS;
	if (!err && (mode > UINT32_MAX || !memory_policy_is_valid(policy)))
		err = -EINVAL;
	return err;
}

int64_t call_set_mempolicy(struct call *call)
{
	struct memory_policy policy = { 0 };
	int err = get_policy(call->args[0], call->args[1], call->args[2], &policy);

	if (!err)
		call->thread->policy = policy;
	return err;
}

static int put_nodes(uint64_t to, uint64_t bits, uint64_t nodes)
{
	uint64_t size = bits / 8;
	int err;

	if (!to)
		return 0;
	if (bits < topology.node_count)
		return -EINVAL;
	err = copy_to_user(to, &nodes, MIN(MAX(size, 8ul), sizeof(nodes)));
	return !err && size > sizeof(nodes) ? clear_user(to + sizeof(nodes), size - sizeof(nodes)) : err;
}

/* The node of the page that is there. */
static int64_t node_at(const struct space *space, uint64_t address)
{
	struct user_page found = user_page_at(space->root, address);

	return found.page ? page_node(found.page) : -EFAULT;
}

static int64_t find_policy(const struct call *call, struct memory_policy *policy)
{
	const struct area *area;

	*policy = call->thread->policy;
	if (!(call->args[4] & MPOL_F_ADDR))
		return 0;
	if (call->args[3] < IKC_USER_START || call->args[3] >= IKC_USER_END)
		return -EFAULT;
	area = space_area_at(&call->process->space, call->args[3]);
	if (!area)
		return -EFAULT;
	*policy = area->policy;
	return call->args[4] & MPOL_F_NODE ? node_at(&call->process->space, call->args[3]) : 0;
}

int64_t call_get_mempolicy(struct call *call)
{
	struct memory_policy policy;
	int64_t found;
	int32_t told;

	if (call->args[4] & ~7ul)
		return -EINVAL;
	if (call->args[4] & MPOL_F_MEMS_ALLOWED)
		return put_nodes(call->args[1], call->args[2], (1ul << topology.node_count) - 1);
	space_enter(&call->process->space);
	found = find_policy(call, &policy);
	space_leave(&call->process->space);
	if (found < 0)
		return found;
	told = call->args[4] & MPOL_F_NODE ? found : policy.mode;
	if (call->args[0] && copy_to_user(call->args[0], &told, sizeof(told)))
		return -EFAULT;
	return put_nodes(call->args[1], call->args[2], policy.nodes);
}

/* All pages are there already: those of another node move, with or without MPOL_MF_MOVE. */
static int bind(struct space *space, uint64_t start, uint64_t end, const struct memory_policy *policy)
{
	int err = space_is_mapped(space, start, end) ? 0 : -EFAULT;

	if (!err)
		err = space_set_policy(space, start, end, policy);
	if (!err)
		err = space_hide(space, start, end);
	if (err)
		return err;
	user_tables_flush(space->root);
	err = offload_zap(start, end - start, 0);
	return err ? err : space_move_hidden(space, start, end);
}

int64_t call_mbind(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t start = call->args[0], size = ALIGN_UP(call->args[1], PAGE_SIZE);
	struct memory_policy policy = { 0 };
	int err = get_policy(call->args[2], call->args[3], call->args[4], &policy);

	if (err)
		return err;
	if (start & (PAGE_SIZE - 1) || size < call->args[1] || call->args[5] & ~(uint64_t)MPOL_MF_FLAGS)
		return -EINVAL;
	if (!size)
		return 0;
	if (space_range_check(start, size))
		return -EFAULT;
	space_enter(space);
	err = bind(space, start, start + size, &policy);
	space_leave(space);
	return err;
}
