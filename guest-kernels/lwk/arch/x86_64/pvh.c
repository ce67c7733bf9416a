/* SPDX-License-Identifier: Apache-2.0 */
/* Takes over what the boot loader tells, before its memory is used for anything else. */
#include <arch/pvh.h>
#include <lwk/cmdline.h>
#include <lwk/log.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/platform.h>

/* Keeps the list ascending: the firmware's may be in any order. */
static void add_ram(paddr_t base, paddr_t end)
{
	unsigned int at = platform.ram_count;

	base = ALIGN_UP(base, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	if (base >= end)
		return;
	if (platform.ram_count == MAX_RAM_RANGES) {
		log_warn("more than %u ranges of RAM: 0x%lx-0x%lx is not used", MAX_RAM_RANGES,
			 base, end);
		return;
	}
	platform.ram_count++;
	for (; at > 0 && platform.ram[at - 1].base > base; at--)
		platform.ram[at] = platform.ram[at - 1];
	platform.ram[at] = (struct ram_range){ base, end };
}

void pvh_init(paddr_t address)
{
	const struct pvh_start_info *start = phys_to_virt(address);
	const struct pvh_memory *memory = phys_to_virt(start->memory_map);

	if (start->magic != PVH_START_MAGIC || start->version < 1)
		panic("start info at 0x%lx: magic 0x%x version %u, want 0x%x and at least 1",
		      address, start->magic, start->version, PVH_START_MAGIC);
	if (start->command_line)
		cmdline_init(phys_to_virt(start->command_line));
	platform.rsdp = start->rsdp;
	for (unsigned int i = 0; i < start->memory_map_count; i++) {
		paddr_t end = memory[i].base + memory[i].size;

		if (memory[i].type != PVH_MEMORY_RAM)
			continue;
		platform.memory_end = MAX(platform.memory_end, end);
		add_ram(memory[i].base, end);
	}
}
