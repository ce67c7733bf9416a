/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the other CPUs: one, and then all others at once. */
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
_Static_assert(offsetof(struct cpu, arch.entry_stack) == CPU_ENTRY_STACK, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, arch.user_stack) == CPU_USER_STACK, "arch/offsets.h");

#define SECOND_STARTUP_AFTER (200 * NS_PER_MS) /* it wakes all, so not while they are merely busy */
#define ONLINE_WITHIN (10 * NS_PER_S) /* 200 virtual CPUs on a few busy real ones */

static unsigned int starter; /* the CPU that waits for the others */
static uint64_t started_ns;

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
	unsigned int online;

	smp_init_cpu();
	online = cpu_set_online();
	if (online == 2) /* the first after the starter */
		apic_broadcast_startup(TRAMPOLINE / PAGE_SIZE);
	if (online == cpu_count)
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

	if (cpu_online_count() == cpu_count)
		return true;
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
 *
 * The first goes to one CPU, which sends it to all others when it is through. Under TCG code is
 * translated when it is first run: 200 CPUs that come to it at once all do that, in each other's way.
 */
void smp_start(void)
{
	started_ns = time_ns();
	starter = this_cpu()->id;
	cpu_set_online();
	if (cpu_count == 1)
		return;
	memcpy(phys_to_virt(TRAMPOLINE), trampoline_start, trampoline_end - trampoline_start);
	apic_broadcast_init();
	apic_send_startup(cpus[1]->apic_id, TRAMPOLINE / PAGE_SIZE);
}

void smp_wait(void)
{
	if (!wait_until_online(SECOND_STARTUP_AFTER)) {
		apic_broadcast_startup(TRAMPOLINE / PAGE_SIZE);
		wait_until_online(ONLINE_WITHIN);
	}
	for (unsigned int id = 0; id < cpu_count; id++)
		if (!cpus[id]->online)
			log_error("smp: CPU %u (APIC id %u) did not start within %llu s", id,
				  cpus[id]->apic_id, ONLINE_WITHIN / NS_PER_S);
	log_info("smp: %u of %u CPUs online after %llu us", cpu_online_count(), cpu_count,
		 (time_ns() - started_ns) / NS_PER_US);
}
