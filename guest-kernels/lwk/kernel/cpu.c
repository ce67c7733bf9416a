/* SPDX-License-Identifier: Apache-2.0 */
/* The list of CPUs, and what one does when it has nothing to do. */
#include <arch/stack.h>
#include <lwk/cpu.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/process.h>
#include <lwk/topology.h>
#include <lwk/work.h>

/* CPU 0 needs its own before there is an allocator. */
struct cpu boot_cpu = { .self = &boot_cpu };

struct cpu *cpus[MAX_CPUS] = { &boot_cpu };
uint32_t cpu_apic_ids[MAX_CPUS];
unsigned int cpu_count = 1;

static unsigned int online_count;

static unsigned int order_of(size_t size)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < size)
		order++;
	return order;
}

static struct cpu *new_cpu(uint32_t node)
{
	paddr_t page = page_alloc(order_of(sizeof(struct cpu)), node, PAGE_ZERO);

	if (!page)
		panic("no memory for a CPU on node %u", node);
	return phys_to_virt(page);
}

void cpu_init(void)
{
	for (unsigned int id = 0; id < topology.cpu_count; id++) {
		const struct topology_cpu *found = &topology.cpus[id];
		struct cpu *cpu = id ? new_cpu(found->node) : &boot_cpu;

		cpu->self = cpu;
		cpu->id = id;
		cpu->apic_id = found->apic_id;
		cpu->node = found->node;
		if (stack_map(cpu))
			panic("no memory for the stacks of CPU %u", id);
		cpus[id] = cpu;
		cpu_apic_ids[id] = cpu->apic_id;
	}
	cpu_count = topology.cpu_count;
}

unsigned int cpu_online_count(void)
{
	return __atomic_load_n(&online_count, __ATOMIC_ACQUIRE);
}

unsigned int cpu_set_online(void)
{
	__atomic_store_n(&this_cpu()->online, true, __ATOMIC_SEQ_CST);
	return __atomic_add_fetch(&online_count, 1, __ATOMIC_SEQ_CST);
}

void cpu_wake(struct cpu *cpu)
{
	if (cpu != this_cpu() && !__atomic_load_n(&cpu->attends, __ATOMIC_SEQ_CST))
		xcall_wake(cpu->id);
}

HOT void cpu_idle(void)
{
	struct cpu *cpu = this_cpu();

	for (;;) {
		cpu_attend();
		work_run_queued();
		if (work_list_run_one(&cpu->threads))
			continue;
		if (cpu->waiting && !cpu->waiting_asleep)
			process_fall_asleep();
		interrupts_disable();
		cpu_ignore();
		if (cpu_has_others())
			interrupts_enable();
		else
			halt_until_interrupt();
	}
}
