/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC (SDM 3A, chapter 11). */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <lwk/irq.h>
#include <lwk/log.h>
#include <lwk/mmio.h>
#include <lwk/paging.h>
#include <lwk/panic.h>
#include <lwk/platform.h>

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC (1 << 10)
#define APIC_BASE_ENABLE (1 << 11)
#define MSR_X2APIC 0x800
#define MSR_TSC_DEADLINE 0x6e0

/* Registers: the MSR is MSR_X2APIC + number, the memory-mapped one is at 16 * number. */
#define TASK_PRIORITY 0x08
#define END_OF_INTERRUPT 0x0b
#define SPURIOUS 0x0f
#define COMMAND 0x30
#define COMMAND_HIGH 0x31 /* xAPIC only */
#define LVT_TIMER 0x32
#define LVT_LINT0 0x35
#define LVT_LINT1 0x36
#define LVT_ERROR 0x37
#define TIMER_INITIAL 0x38
#define TIMER_CURRENT 0x39
#define TIMER_DIVIDE 0x3e

#define SPURIOUS_APIC_ENABLE (1 << 8)
#define LVT_MASKED (1 << 16)
#define LVT_NMI (4 << 8)
#define LVT_TSC_DEADLINE (2 << 17)
#define DIVIDE_BY_1 0xb

#define COMMAND_NMI (4 << 8)
#define COMMAND_INIT (5 << 8)
#define COMMAND_STARTUP (6 << 8)
#define COMMAND_PENDING (1 << 12)
#define COMMAND_ASSERT (1 << 14)
#define COMMAND_ALL_OTHERS (3 << 18)

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

struct apic_access {
	const char *name;
	void (*enable)(void);
	uint32_t (*read)(unsigned int number);
	void (*write)(unsigned int number, uint32_t value);
	void (*command)(uint32_t command, uint32_t apic_id);
};

static volatile char *registers;

static void xapic_enable(void)
{
	msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE);
}

static uint32_t xapic_read(unsigned int number)
{
	return mmio_read32(registers + number * 16);
}

static void xapic_write(unsigned int number, uint32_t value)
{
	mmio_write32(registers + number * 16, value);
}

/* Two writes: an interrupt handler that sends one of its own must not come between them. */
static void xapic_command(uint32_t command, uint32_t apic_id)
{
	uint64_t flags = interrupts_save();

	while (xapic_read(COMMAND) & COMMAND_PENDING)
		cpu_relax();
	xapic_write(COMMAND_HIGH, apic_id << 24);
	xapic_write(COMMAND, command);
	interrupts_restore(flags);
}

static void x2apic_enable(void)
{
	msr_write(MSR_APIC_BASE, msr_read(MSR_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

static uint32_t x2apic_read(unsigned int number)
{
	return msr_read(MSR_X2APIC + number);
}

static void x2apic_write(unsigned int number, uint32_t value)
{
	msr_write(MSR_X2APIC + number, value);
}

/*
 * The write is not serializing (SDM 3A, 11.12.3): what the receiver shall see must be out before.
 */
static void x2apic_command(uint32_t command, uint32_t apic_id)
{
	asm volatile("mfence; lfence" : : : "memory");
	msr_write(MSR_X2APIC + COMMAND, (uint64_t)apic_id << 32 | command);
}

static const struct apic_access xapic = {
	"xAPIC", xapic_enable, xapic_read, xapic_write, xapic_command,
};
static const struct apic_access x2apic = {
	"x2APIC", x2apic_enable, x2apic_read, x2apic_write, x2apic_command,
};

static const struct apic_access *apic = &xapic;

void apic_init(void)
{
	/* the two 8259s of old: nobody here asks for their interrupts */
	out8(PIC1_DATA, 0xff);
	out8(PIC2_DATA, 0xff);

	if (cpuid(1, 0).ecx & 1 << 21) {
		apic = &x2apic;
	} else {
		registers = map_physical(platform.local_apic, PAGE_SIZE, MEMORY_UNCACHED);
		if (!registers)
			panic("apic: no memory to map 0x%lx", platform.local_apic);
	}
	log_info("apic: %s", apic->name);

	/* what firmware may have left; the other CPUs' are so since their INIT (SDM 3A, 11.4.7.3) */
	apic->enable();
	apic->write(TASK_PRIORITY, 0);
	apic->write(LVT_TIMER, LVT_MASKED | IRQ_VECTOR_TIMER);
	apic->write(LVT_LINT0, LVT_MASKED);
	apic->write(LVT_ERROR, LVT_MASKED);
}

/* Each access to a register takes a lock that all CPUs of a VM share: no more than are needed. */
void apic_init_cpu(void)
{
	apic->enable();
	apic->write(LVT_LINT1, LVT_NMI);
	apic->write(SPURIOUS, SPURIOUS_APIC_ENABLE | IRQ_VECTOR_SPURIOUS);
}

void apic_end_of_interrupt(void)
{
	apic->write(END_OF_INTERRUPT, 0);
}

void apic_send(uint32_t apic_id, unsigned int vector)
{
	apic->command(COMMAND_ASSERT | vector, apic_id);
}

void apic_send_nmi(uint32_t apic_id)
{
	apic->command(COMMAND_ASSERT | COMMAND_NMI, apic_id);
}

void apic_send_startup(uint32_t apic_id, unsigned int page)
{
	apic->command(COMMAND_ASSERT | COMMAND_STARTUP | page, apic_id);
}

void apic_broadcast_init(void)
{
	apic->command(COMMAND_ALL_OTHERS | COMMAND_ASSERT | COMMAND_INIT, 0);
}

void apic_broadcast_startup(unsigned int page)
{
	apic->command(COMMAND_ALL_OTHERS | COMMAND_ASSERT | COMMAND_STARTUP | page, 0);
}

void apic_timer_start(uint32_t count)
{
	apic->write(TIMER_DIVIDE, DIVIDE_BY_1);
	apic->write(LVT_TIMER, IRQ_VECTOR_TIMER);
	apic->write(TIMER_INITIAL, count);
}

void apic_timer_start_deadline(uint64_t tsc)
{
	apic->write(LVT_TIMER, LVT_TSC_DEADLINE | IRQ_VECTOR_TIMER);
	/* the mode must be in force before the deadline is set (SDM 3A, 11.5.4.1) */
	asm volatile("mfence" : : : "memory");
	msr_write(MSR_TSC_DEADLINE, tsc);
}

void apic_timer_stop(void)
{
	apic->write(LVT_TIMER, LVT_MASKED | IRQ_VECTOR_TIMER); /* also disarms a deadline */
	apic->write(TIMER_INITIAL, 0);
}

uint32_t apic_timer_current(void)
{
	return apic->read(TIMER_CURRENT);
}
