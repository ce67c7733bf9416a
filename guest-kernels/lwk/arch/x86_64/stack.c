/* SPDX-License-Identifier: Apache-2.0 */
/* Each CPU's stacks. */
#include <arch/stack.h>
#include <arch/thread_stack.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/printf.h>

/*
 * A CPU's stride, upwards: guard, kernel, guard, double fault, guard, NMI, guard, machine check.
 * What no stack occupies is never mapped.
 */
#define STRIDE_PAGES 16

static const struct {
	const char *name;
	unsigned int first_page;
	unsigned int order; /* of its block of pages */
	unsigned int ist; /* 0: none */
} stacks[] = {
	{ "kernel", 1, 2, 0 },
	{ "double fault", 6, 1, IST_DOUBLE_FAULT },
	{ "NMI", 9, 1, IST_NMI },
	{ "machine check", 12, 1, IST_MACHINE_CHECK },
};

static uint64_t stride_base(unsigned int cpu_id)
{
	return STACKS_BASE + (uint64_t)cpu_id * STRIDE_PAGES * PAGE_SIZE;
}

int stack_map(struct cpu *cpu)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(stacks); i++) {
		uint64_t base = stride_base(cpu->id) + stacks[i].first_page * PAGE_SIZE;
		uint64_t size = PAGE_SIZE << stacks[i].order;
		uint64_t top = base + size;
		paddr_t block = page_alloc(stacks[i].order, cpu->node, 0);
		int err = block ? map_kernel_ram(base, block, size) : -ENOMEM;

		if (err)
			return err;
		if (stacks[i].ist)
			cpu->arch.tss.ist[stacks[i].ist - 1] = top;
		else
			cpu->stack_top = top;
	}
	return 0;
}

bool stack_describe_guard(uint64_t address, char *text, size_t size)
{
	unsigned int cpu_id = (address - STACKS_BASE) / (STRIDE_PAGES * PAGE_SIZE);

	if (thread_stack_is_guard(address)) {
		snprintf(text, size, "the kernel stack of a thread");
		return true;
	}
	if (address < STACKS_BASE || address >= stride_base(cpu_count))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(stacks); i++) {
		uint64_t base = stride_base(cpu_id) + stacks[i].first_page * PAGE_SIZE;

		if (address < base && address >= base - PAGE_SIZE) {
			snprintf(text, size, "the %s stack of CPU %u", stacks[i].name, cpu_id);
			return true;
		}
	}
	return false;
}
