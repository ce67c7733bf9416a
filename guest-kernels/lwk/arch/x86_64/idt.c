/* SPDX-License-Identifier: Apache-2.0 */
/* The interrupt descriptor table: one for all CPUs. */
#include <arch/percpu.h>
#include <arch/trap.h>
#include <arch/trap_vectors.h>

/* SDM 3A, figure 6-8. */
struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

#define PRESENT_INTERRUPT_GATE 0x8e /* clears IF on entry */
#define PRESENT_USER_GATE 0xee /* a program may use it: INT3, INTO */

extern const char trap_vectors[];

static struct gate idt[VECTOR_COUNT];

static unsigned int ist_of(unsigned int vector)
{
	switch (vector) {
	case TRAP_NMI:
		return IST_NMI;
	case TRAP_DOUBLE_FAULT:
		return IST_DOUBLE_FAULT;
	case TRAP_MACHINE_CHECK:
		return IST_MACHINE_CHECK;
	default:
		return 0;
	}
}

void idt_init(bool with_ist)
{
	for (unsigned int vector = 0; vector < VECTOR_COUNT; vector++) {
		uint64_t entry = (uint64_t)trap_vectors + vector * TRAP_VECTOR_SIZE;

		idt[vector] = (struct gate){
			.offset_low = entry,
			.selector = GDT_KERNEL_CODE * 8,
			.ist = with_ist ? ist_of(vector) : 0,
			.type = vector == TRAP_BREAKPOINT || vector == TRAP_OVERFLOW
					? PRESENT_USER_GATE : PRESENT_INTERRUPT_GATE,
			.offset_middle = entry >> 16,
			.offset_high = entry >> 32,
		};
	}
}

void idt_load(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, idt };

	asm volatile("lidt %0" : : "m"(pointer));
}
