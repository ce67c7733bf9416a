/* SPDX-License-Identifier: Apache-2.0 */
/* membarrier: every CPU is interrupted, whoever runs there. That orders its memory accesses, and its instructions too. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/xcall.h>

#define QUERY 0
#define GLOBAL 1
#define GLOBAL_EXPEDITED 2
#define REGISTER_GLOBAL_EXPEDITED 4
#define PRIVATE_EXPEDITED 8
#define REGISTER_PRIVATE_EXPEDITED 16
#define PRIVATE_EXPEDITED_SYNC_CORE 32
#define REGISTER_PRIVATE_EXPEDITED_SYNC_CORE 64

#define ALL 127 /* of these */

static void order(void *unused)
{
	(void)unused;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int64_t order_everywhere(void)
{
	xcall_all(order, NULL);
	return 0;
}

int64_t call_membarrier(struct call *call)
{
	uint32_t command = call->args[0], *registered = &call->process->barriers;

	if ((uint32_t)call->args[1])
		return -EINVAL; /* flags: for rseq, which is not there */
	switch (command) {
	case QUERY:
		return ALL;
	case GLOBAL:
	case GLOBAL_EXPEDITED:
		return order_everywhere();
	case REGISTER_GLOBAL_EXPEDITED:
		return 0;
	case PRIVATE_EXPEDITED:
	case PRIVATE_EXPEDITED_SYNC_CORE:
		return __atomic_load_n(registered, __ATOMIC_RELAXED) & command ? order_everywhere() : -EPERM;
	case REGISTER_PRIVATE_EXPEDITED:
	case REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		__atomic_or_fetch(registered, command >> 1, __ATOMIC_RELAXED);
		return 0;
	default:
		return -EINVAL;
	}
}
