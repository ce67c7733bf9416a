/* SPDX-License-Identifier: Apache-2.0 */
/* Traps made on purpose. */
#include <arch/selftest.h>
#include <arch/trap.h>

#define RET 0xc3

/* Its address stands in .fixups: that is where a forbidden fetch traps. */
uint8_t executed_data[] = { RET };

uint64_t traps_on_undefined(void)
{
	uint64_t trapped = 0;

	asm volatile("1: ud2\n"
		     "2:\n" FIXUP("1b", "2b") : "+a"(trapped) : : "memory");
	return trapped;
}

uint64_t traps_on_division_by_zero(void)
{
	uint64_t trapped = 0, high = 0;

	asm volatile("1: divq %2\n"
		     "2:\n" FIXUP("1b", "2b") : "+a"(trapped), "+d"(high) : "r"(0ul) : "memory");
	return trapped;
}

/* Writes what stands there already. */
uint64_t traps_on_write(void *address)
{
	uint64_t trapped = 0;

	asm volatile("1: lock orb $0, (%1)\n"
		     "2:\n" FIXUP("1b", "2b") : "+a"(trapped) : "r"(address) : "memory");
	return trapped;
}

uint64_t traps_on_execution_of_data(void)
{
	uint64_t trapped = 0;

	asm volatile("leaq 1f(%%rip), %%rcx\n"
		     "pushq %%rcx\n"
		     "jmp executed_data\n"
		     "2: addq $8, %%rsp\n" /* it trapped: nothing took the return address */
		     "1:\n" FIXUP("executed_data", "2b") : "+a"(trapped) : : "rcx", "memory");
	return trapped;
}
