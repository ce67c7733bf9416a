/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the kernel by its own decision. */
#include <arch/apic.h>
#include <arch/backtrace.h>
#include <arch/console.h>
#include <arch/trap.h>
#include <lwk/cpu.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/power.h>
#include <lwk/printf.h>
#include <lwk/string.h>
#include <lwk/symbols.h>
#include <lwk/time.h>

#define NOBODY UINT32_MAX
#define PARKED_WITHIN (NS_PER_S / 4)
#define REPORT_SIZE 2048
#define SYMBOL_MAX 80

static uint32_t owner = NOBODY; /* the CPU that panics; set once */
static panic_hook hook;
static panic_end end;

/* the owner's */
static char reason[LOG_LINE_MAX];
static char report[REPORT_SIZE];
static size_t report_length;
static bool hook_called;

void panic_set_hook(panic_hook wanted)
{
	hook = wanted;
}

void panic_set_end(panic_end wanted)
{
	end = wanted;
}

bool panic_in_progress(void)
{
	return __atomic_load_n(&owner, __ATOMIC_ACQUIRE) != NOBODY;
}

/* Into the log and the report. */
static void PRINTF_LIKE(1, 2) tell(const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	log_write(LOG_PANIC, "%s", line);
	report_length += snprintf(report + report_length, REPORT_SIZE - report_length, "%s\n",
				  line);
	report_length = MIN(report_length, (size_t)REPORT_SIZE - 1);
}

static _Noreturn void park(uint64_t rip)
{
	struct cpu *cpu = this_cpu();

	if (cpu->parked) /* by a panic of its own that came second: that place says more */
		halt_forever();
	cpu->parked_rip = rip;
	__atomic_store_n(&cpu->parked, true, __ATOMIC_RELEASE);
	halt_forever();
}

void panic_park(const struct trap_frame *frame)
{
	park(frame->rip);
}

static bool all_parked(void)
{
	for (unsigned int id = 0; id < cpu_count; id++)
		if (id != owner && cpus[id]->online &&
		    !__atomic_load_n(&cpus[id]->parked, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static void stop_others(void)
{
	uint64_t deadline = deadline_after(PARKED_WITHIN);

	for (unsigned int id = 0; id < cpu_count; id++)
		if (id != owner && cpus[id]->online)
			apic_send_nmi(cpus[id]->apic_id);
	while (!all_parked() && !deadline_passed(deadline))
		cpu_relax();
}

static const char *place_of(unsigned int id, char *text)
{
	const struct cpu *cpu = cpus[id];

	if (!cpu->online)
		return "never started";
	if (!cpu->parked)
		return "does not answer";
	return symbol_format(text, SYMBOL_MAX, cpu->parked_rip);
}

/* Neighbours that stopped at the same place share a line: on an idle machine that is nearly all. */
static void tell_others(void)
{
	for (unsigned int first = 0, last; first < cpu_count; first = last + 1) {
		char text[SYMBOL_MAX], other[SYMBOL_MAX];
		const char *place = place_of(first, text);

		last = first;
		if (first == owner)
			continue;
		while (last + 1 < cpu_count && last + 1 != owner &&
		       !strcmp(place_of(last + 1, other), place))
			last++;
		if (first == last)
			tell("CPU %u: %s", first, place);
		else
			tell("CPUs %u-%u: %s", first, last, place);
	}
}

static void tell_backtrace(uint64_t frame_pointer)
{
	uint64_t addresses[BACKTRACE_MAX];
	unsigned int count = backtrace(frame_pointer, addresses, BACKTRACE_MAX);
	char text[SYMBOL_MAX];

	tell("backtrace:");
	for (unsigned int i = 0; i < count; i++)
		tell("  %016lx %s", addresses[i], symbol_format(text, sizeof(text), addresses[i]));
}

static _Noreturn void finish(void)
{
	if (hook && !hook_called) {
		hook_called = true;
		hook(report);
	}
	if (end)
		end(report);
	power_notify_panic();
	halt_forever();
}

/* A panic inside a panic: nothing that has been tried so far can be relied on, but the console. */
static _Noreturn void panic_again(const char *format, va_list arguments)
{
	static unsigned int depth;
	static char line[LOG_LINE_MAX];

	if (depth++)
		halt_forever();
	vsnprintf(line, sizeof(line), format, arguments);
	console_write("panic in panic: ", 16);
	console_write(line, strlen(line));
	console_write("\n", 1);
	finish();
}

static _Noreturn void panic_with(const struct trap_frame *frame, uint64_t rip,
				 uint64_t frame_pointer, const char *format, va_list arguments)
{
	uint32_t nobody = NOBODY, self = this_cpu()->id;
	char text[SYMBOL_MAX];

	interrupts_disable();
	if (!__atomic_compare_exchange_n(&owner, &nobody, self, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		if (nobody == self)
			panic_again(format, arguments);
		park(rip);
	}
	vsnprintf(reason, sizeof(reason), format, arguments);
	stop_others();
	log_enter_panic();

	tell("panic: %s", reason);
	tell("CPU %u, node %u, in %s", self, this_cpu()->node,
	     symbol_format(text, sizeof(text), rip));
	if (frame)
		trap_log_registers(frame);
	tell_backtrace(frame_pointer);
	tell_others();
	finish();
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	panic_with(NULL, (uint64_t)__builtin_return_address(0) - 1, backtrace_frame_pointer(),
		   format, arguments);
}

void panic_at(const struct trap_frame *frame, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	panic_with(frame, frame->rip, frame->rbp, format, arguments);
}
