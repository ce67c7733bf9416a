/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the other CPUs, all at once. */
#include <arch/apic.h>
#include <arch/boot.h>
#include <arch/gdt.h>
#include <arch/memory_type.h>
#include <arch/offsets.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <arch/user_mode.h>
#include <lwk/cpu.h>
#include <lwk/log.h>
#include <lwk/memory_map.h>
#include <lwk/paging.h>
#include <lwk/string.h>
#include <lwk/time.h>
#include <lwk/timer.h>
#include <lwk/xcall.h>

_Static_assert(offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, apic_id) == CPU_APIC_ID, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, arch.entry_stack) == CPU_ENTRY_STACK, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, arch.user_stack) == CPU_USER_STACK, "arch/offsets.h");

#define SECOND_STARTUP_AFTER (200 * NS_PER_MS) /* it wakes all, so not while they are merely busy */
#define ONLINE_WITHIN (10 * NS_PER_S) /* 200 virtual CPUs on a few busy real ones */

static unsigned int starter; /* the CPU that waits for the others */

void smp_init_cpu(void)
{
	gdt_load(this_cpu());
	idt_load();
	memory_type_init();
	user_mode_init_cpu();
	apic_init_cpu();
}

void smp_ap_main(void)
{
	smp_init_cpu();
	__atomic_store_n(&this_cpu()->online, true, __ATOMIC_SEQ_CST);
	if (cpu_online_count() == cpu_count)
		xcall_wake(starter);
	interrupts_enable();
	cpu_idle();
}

static void time_is_over(void *over)
{
	*(volatile bool *)over = true;
}

/*
 * Halted, not spinning: where virtual CPUs share few real ones, the others need this one's. Who is
 * the last to come wakes it.
 */
static bool wait_until_online(uint64_t ns)
{
	volatile bool over = false;
	bool all;

	timer_arm(ns, time_is_over, (void *)&over);
	interrupts_disable();
	while (!(all = cpu_online_count() == cpu_count) && !over) {
		halt_until_interrupt();
		interrupts_disable();
	}
	interrupts_enable();
	timer_cancel();
	return all;
}

/*
 * INIT, STARTUP, STARTUP (SDM 3A, 9.4.4.1), without its fixed delays: they are for processors of
 * the nineties, as is the second STARTUP, which is sent only if somebody is missing.
 */
void smp_start(void)
{
	uint64_t begin = time_ns();

	this_cpu()->online = true;
	starter = this_cpu()->id;
	if (cpu_count == 1)
		return;
	memcpy(phys_to_virt(TRAMPOLINE), trampoline_start, trampoline_end - trampoline_start);
	apic_broadcast_init();
	apic_broadcast_startup(TRAMPOLINE / PAGE_SIZE);
	if (!wait_until_online(SECOND_STARTUP_AFTER)) {
		apic_broadcast_startup(TRAMPOLINE / PAGE_SIZE);
		wait_until_online(ONLINE_WITHIN);
	}
	for (unsigned int id = 0; id < cpu_count; id++)
		if (!cpus[id]->online)
			log_error("smp: CPU %u (APIC id %u) did not start within %llu s", id,
				  cpus[id]->apic_id, ONLINE_WITHIN / NS_PER_S);
	log_info("smp: %u of %u CPUs online after %llu us", cpu_online_count(), cpu_count,
		 (time_ns() - begin) / NS_PER_US);
}
