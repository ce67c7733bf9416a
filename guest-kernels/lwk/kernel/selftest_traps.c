/* SPDX-License-Identifier: Apache-2.0 */
/* Self-test of traps and backtraces. */
#include <arch/apic.h>
#include <arch/backtrace.h>
#include <arch/selftest.h>
#include <arch/trap.h>
#include <lwk/cpu.h>
#include <lwk/selftest.h>
#include <lwk/string.h>
#include <lwk/symbols.h>
#include <lwk/time.h>

#define NON_CANONICAL 0x8000000000000000
#define NOT_MAPPED 0x1000

const char *selftest_traps(void)
{
	uint64_t value, here = 42;

	SELFTEST_EXPECT(traps_on_undefined() == (FIXUP_TRAPPED | 6));
	SELFTEST_EXPECT(traps_on_division_by_zero() == (FIXUP_TRAPPED | 0));
	SELFTEST_EXPECT(probe_read64(NOT_MAPPED, &value) == (FIXUP_TRAPPED | 14));
	SELFTEST_EXPECT(cr2_read() == NOT_MAPPED);
	SELFTEST_EXPECT(probe_read64(NON_CANONICAL, &value) == (FIXUP_TRAPPED | 13));
	SELFTEST_EXPECT(probe_read64((uint64_t)&here, &value) == 0 && value == 42);
	return NULL;
}

static uint64_t addresses[BACKTRACE_MAX];
static unsigned int count;

static __attribute__((noinline)) void innermost(void)
{
	count = backtrace(backtrace_frame_pointer(), addresses, BACKTRACE_MAX);
}

static __attribute__((noinline)) void middle(void)
{
	innermost();
	asm volatile(""); /* no tail call */
}

static void note_backtrace(void *arg)
{
	innermost();
	__atomic_store_n((bool *)arg, true, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) bool interrupted(unsigned int vector, bool *came)
{
	uint64_t deadline = deadline_after(NS_PER_S);

	apic_send(this_cpu()->apic_id, vector);
	while (!__atomic_load_n(came, __ATOMIC_ACQUIRE))
		if (deadline_passed(deadline))
			return false;
	return true;
}

/* The callers' names, innermost first, must begin with these. */
static const char *expect_names(const char *const *names, unsigned int wanted)
{
	for (unsigned int i = 0; i < wanted; i++) {
		uint64_t offset;
		const char *name = i < count ? symbol_lookup(addresses[i], &offset) : NULL;

		if (!name || strcmp(name, names[i]))
			return selftest_failed("caller %u is %s, want %s", i, name ? name : "?",
					       names[i]);
	}
	return NULL;
}

const char *selftest_backtrace(void)
{
	static const char *const calls[] = { "middle", "selftest_backtrace" };
	static const char *const interrupt[] = { "note_backtrace", "irq_dispatch",
						 "trap_dispatch" };
	const char *why;
	uint64_t offset;
	bool came = false, seen = false;
	int vector;

	middle();
	why = expect_names(calls, ARRAY_SIZE(calls));
	if (why)
		return why;

	vector = irq_allocate(note_backtrace, &came);
	SELFTEST_EXPECT(vector >= IRQ_VECTOR_FIRST);
	SELFTEST_EXPECT(interrupted(vector, &came));
	irq_unregister(vector);
	why = expect_names(interrupt, ARRAY_SIZE(interrupt));
	for (unsigned int i = 0; i < count; i++) {
		const char *name = symbol_lookup(addresses[i], &offset);

		seen |= name && !strcmp(name, "selftest_backtrace");
	}
	if (!why && !seen)
		why = "the backtrace of an interrupt does not show what it interrupted";
	return why;
}
