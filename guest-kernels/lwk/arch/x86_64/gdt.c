/* SPDX-License-Identifier: Apache-2.0 */
/* Each CPU's segments and task state. */
#include <arch/gdt.h>
#include <lwk/cpu.h>

#define KERNEL_CODE 0x00af9b000000ffff /* 64-bit, execute and read, ring 0 */
#define KERNEL_DATA 0x00cf93000000ffff
#define USER_CODE 0x00affb000000ffff /* the same for ring 3 */
#define USER_DATA 0x00cff3000000ffff
#define TSS_AVAILABLE 0x0000890000000000

/* The selectors are those of the boot GDT, so the loaded segments stay valid. */
void gdt_load(struct cpu *cpu)
{
	struct arch_cpu *arch = &cpu->arch;
	uint64_t base = (uint64_t)&arch->tss;
	struct table_pointer pointer = { sizeof(arch->gdt) - 1, arch->gdt };

	arch->tss.io_map_base = sizeof(arch->tss); /* none */
	arch->gdt[GDT_KERNEL_CODE] = KERNEL_CODE;
	arch->gdt[GDT_KERNEL_DATA] = KERNEL_DATA;
	arch->gdt[GDT_USER_CODE] = USER_CODE;
	arch->gdt[GDT_USER_DATA] = USER_DATA;
	arch->gdt[GDT_TSS] = TSS_AVAILABLE | (sizeof(arch->tss) - 1) | (base & 0xffffff) << 16 |
			     (base >> 24 & 0xff) << 56;
	arch->gdt[GDT_TSS + 1] = base >> 32;
	asm volatile("lgdt %0" : : "m"(pointer));
	asm volatile("ltr %w0" : : "r"(GDT_TSS * 8));
}
