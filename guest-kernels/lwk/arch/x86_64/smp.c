/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the other CPUs. */
#include <arch/boot.h>
#include <arch/offsets.h>
#include <lwk/cpu.h>

_Static_assert(offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, apic_id) == CPU_APIC_ID, "arch/offsets.h");

void smp_ap_main(void)
{
	halt_forever();
}
