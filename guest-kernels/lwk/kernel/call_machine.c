/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that tell of the machine. */
#include <lwk/calls.h>
#include <lwk/page_alloc.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/topology.h>
#include <lwk/user_copy.h>

/* As sysinfo(2) has it. Swap, buffers and high memory there are none, and loads are not counted. */
struct machine {
	uint64_t uptime;
	uint64_t loads[3];
	uint64_t memory;
	uint64_t free_memory;
	uint64_t shared;
	uint64_t buffers;
	uint64_t swap;
	uint64_t free_swap;
	uint16_t processes;
	uint64_t high_memory;
	uint64_t free_high_memory;
	uint32_t unit; /* of memory, in bytes */
};

_Static_assert(sizeof(struct machine) == 112, "as Linux has it");

int64_t call_sysinfo(struct call *call)
{
	struct machine machine;

	memset(&machine, 0, sizeof(machine)); /* what is between its words, too */
	machine.uptime = time_ns() / NS_PER_S;
	machine.processes = process_count();
	machine.unit = 1;
	for (unsigned int node = 0; node < topology.node_count; node++) {
		struct page_usage usage = page_node_usage(node);

		machine.memory += usage.total_pages * PAGE_SIZE;
		machine.free_memory += usage.free_pages * PAGE_SIZE;
	}
	return copy_to_user(call->args[0], &machine, sizeof(machine));
}
