/* SPDX-License-Identifier: Apache-2.0 */
/* Ways out of the virtual machine. */
#include <arch/cpu.h>
#include <lwk/log.h>
#include <lwk/platform.h>
#include <lwk/power.h>
#include <lwk/time.h>

/* ACPI 6.4, section 4.8.3.2 */
#define PM1_SLEEP_TYPE(type) ((type) << 10)
#define PM1_SLEEP_ENABLE (1 << 13)

#define RESET_CONTROL 0xcf9
#define RESET_CONTROL_HARD 0x06

#define DEBUG_EXIT 0xf4

/*
 * QEMU docs/specs/pvpanic.txt: a read tells which events the device knows, all ones: there is none
 */
#define PVPANIC 0x505
#define PVPANIC_PANICKED 0x01
#define PVPANIC_ABSENT 0xff

#define LEAVES_WITHIN NS_PER_S

/* The VM ends some time after the request; if it does not, the caller tries something else. */
static void wait_for_the_end(void)
{
	uint64_t deadline = deadline_after(LEAVES_WITHIN);

	while (!deadline_passed(deadline))
		cpu_relax();
}

void power_off(void)
{
	interrupts_disable();
	if (platform.pm1a_control_port) {
		out16(platform.pm1a_control_port,
		      PM1_SLEEP_TYPE(platform.s5_sleep_type) | PM1_SLEEP_ENABLE);
		wait_for_the_end();
	}
	log_error("power: still here after the power was switched off; halted");
	halt_forever();
}

void power_reset(void)
{
	interrupts_disable();
	if (platform.reset_port) {
		out8(platform.reset_port, platform.reset_value);
		wait_for_the_end();
	}
	out8(RESET_CONTROL, RESET_CONTROL_HARD);
	wait_for_the_end();
	log_error("power: still here after a reset; halted");
	halt_forever();
}

void power_triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_table;

	/* Neither the exception nor the double fault that comes of it has a gate. */
	asm volatile("lidt %0\n\tud2" : : "m"(no_table));
	__builtin_unreachable();
}

void power_debug_exit(uint32_t value)
{
	interrupts_disable();
	out32(DEBUG_EXIT, value);
	/*
	 * QEMU may take another moment to end; a second of it is enough to know that there is no
	 * such device
	 */
	wait_for_the_end();
	log_warn("power: no debug exit device, powering off instead");
	power_off();
}

void power_notify_panic(void)
{
	uint8_t events = in8(PVPANIC);

	if (events != PVPANIC_ABSENT && events & PVPANIC_PANICKED)
		out8(PVPANIC, PVPANIC_PANICKED);
}
