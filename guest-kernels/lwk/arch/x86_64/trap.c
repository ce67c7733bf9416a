/* SPDX-License-Identifier: Apache-2.0 */
/* What happens on an exception or interrupt. */
#include <arch/apic.h>
#include <arch/cpu.h>
#include <arch/stack.h>
#include <arch/trap.h>
#include <lwk/cpu.h>
#include <lwk/irq.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/printf.h>
#include <lwk/thread.h>

_Static_assert(offsetof(struct trap_frame, rip) == 136, "trap_entry.S");
_Static_assert(offsetof(struct trap_frame, cs) == 144, "trap_entry.S");

/* SDM 3A, section 4.7 */
#define PF_PROTECTION (1 << 0)
#define PF_WRITE (1 << 1)
#define PF_RESERVED (1 << 3)
#define PF_FETCH (1 << 4)

struct fixup {
	uint64_t instruction;
	uint64_t landing;
};

extern const struct fixup fixups_start[], fixups_end[];

/* SDM 3A, table 6-1 */
static const char *const names[TRAP_COUNT] = {
	[0] = "divide error",
	[1] = "debug exception",
	[2] = "NMI",
	[3] = "breakpoint",
	[4] = "overflow",
	[5] = "bound range exceeded",
	[6] = "invalid opcode",
	[7] = "device not available",
	[8] = "double fault",
	[10] = "invalid TSS",
	[11] = "segment not present",
	[12] = "stack segment fault",
	[13] = "general protection fault",
	[14] = "page fault",
	[16] = "x87 floating-point error",
	[17] = "alignment check",
	[18] = "machine check",
	[19] = "SIMD floating-point exception",
	[20] = "virtualization exception",
	[21] = "control protection exception",
};

uint64_t probe_read64(uint64_t address, uint64_t *value)
{
	uint64_t trapped = 0, read = 0;

	asm volatile("1: movq (%2), %1\n"
		     "2:\n" FIXUP("1b", "2b")
		     : "+a"(trapped), "+r"(read) : "r"(address) : "memory");
	*value = read;
	return trapped;
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct fixup *fixup = fixups_start; fixup < fixups_end; fixup++) {
		if (fixup->instruction == frame->rip) {
			frame->rip = fixup->landing;
			frame->rax = FIXUP_TRAPPED | frame->vector;
			return true;
		}
	}
	return false;
}

static _Noreturn void panic_page_fault(const struct trap_frame *frame)
{
	const char *access = "read", *why = "page not present";

	if (frame->error & PF_FETCH)
		access = "execution";
	else if (frame->error & PF_WRITE)
		access = "write";
	if (frame->error & PF_RESERVED)
		why = "reserved bit set in the page table";
	else if (frame->error & PF_PROTECTION)
		why = "not allowed by the page table";

	panic_at(frame, "page fault: %s at 0x%lx: %s%s", access, cr2_read(), why,
		 cr2_read() < PAGE_SIZE ? " (null pointer)" : "");
}

/* A stack that has run out shows here: the page fault finds no room on it for its own frame. */
static _Noreturn void panic_double_fault(const struct trap_frame *frame)
{
	char text[64];

	if (stack_describe_guard(cr2_read(), text, sizeof(text)))
		panic_at(frame, "double fault: stack overflow: 0x%lx is below %s", cr2_read(),
			 text);
	panic_at(frame, "double fault, last page fault at 0x%lx", cr2_read());
}

static _Noreturn void panic_exception(const struct trap_frame *frame)
{
	const char *name = names[frame->vector] ? names[frame->vector] : "reserved exception";

	panic_at(frame, "%s (exception %lu), error code 0x%lx", name, frame->vector, frame->error);
}

/*
 * A program's fault is its own affair. Interrupts may come while it is handled, as in a system call.
 */
static void handle_user_exception(struct trap_frame *frame)
{
	uint64_t address = frame->vector == TRAP_PAGE_FAULT ? cr2_read() : frame->rip;

	interrupts_enable();
	thread_faulted(frame, address);
	interrupts_disable();
}

static void handle_exception(struct trap_frame *frame)
{
	switch (frame->vector) {
	case TRAP_NMI:
		if (panic_in_progress())
			panic_park(frame);
		panic_at(frame, "NMI: non-maskable interrupt from outside");
	case TRAP_DOUBLE_FAULT:
		panic_double_fault(frame);
	case TRAP_MACHINE_CHECK:
		panic_exception(frame);
	}
	if (trap_from_user(frame)) {
		handle_user_exception(frame);
		return;
	}
	if (fix_up(frame))
		return;
	if (frame->vector == TRAP_PAGE_FAULT)
		panic_page_fault(frame);
	panic_exception(frame);
}

void trap_dispatch(struct trap_frame *frame)
{
	/* and nothing else: two threads that went out of each other's way here would never come to use it */
	if (frame->vector == TRAP_NO_FPU && trap_from_user(frame)) {
		arch_thread_use_fpu();
		return;
	}
	if (frame->vector < TRAP_COUNT) {
		handle_exception(frame);
	} else {
		irq_dispatch(frame->vector);
		if (frame->vector != IRQ_VECTOR_SPURIOUS)
			apic_end_of_interrupt();
	}
	if (trap_from_user(frame))
		thread_leave_kernel(frame);
}

void trap_log_registers(const struct trap_frame *f)
{
	log_write(LOG_PANIC, "  rax %016lx  rbx %016lx  rcx %016lx", f->rax, f->rbx, f->rcx);
	log_write(LOG_PANIC, "  rdx %016lx  rsi %016lx  rdi %016lx", f->rdx, f->rsi, f->rdi);
	log_write(LOG_PANIC, "  rbp %016lx  rsp %016lx  r8  %016lx", f->rbp, f->rsp, f->r8);
	log_write(LOG_PANIC, "  r9  %016lx  r10 %016lx  r11 %016lx", f->r9, f->r10, f->r11);
	log_write(LOG_PANIC, "  r12 %016lx  r13 %016lx  r14 %016lx", f->r12, f->r13, f->r14);
	log_write(LOG_PANIC, "  r15 %016lx  rip %016lx  rflags %08lx", f->r15, f->rip, f->rflags);
	log_write(LOG_PANIC, "  cs %lx  ss %lx  cr2 %016lx  cr3 %016lx", f->cs, f->ss, cr2_read(),
		  cr3_read());
}
