/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests of the way out: they end in a panic whose report must say what happened, and where. */
#include <lwk/cpu.h>
#include <lwk/page_alloc.h>
#include <lwk/panic.h>
#include <lwk/selftest.h>
#include <lwk/xcall.h>

static volatile uint64_t *volatile nowhere = (uint64_t *)0x10;

const char *selftest_panic(void)
{
	selftest_expect_panic("page fault: write at 0x10: page not present (null pointer)",
			      "selftest_panic+0x");
	*nowhere = 1;
	return "a write to address 0x10 went well";
}

const char *selftest_panic_double_free(void)
{
	paddr_t page = page_alloc(0, NODE_LOCAL, 0);

	selftest_expect_panic("is free already", "selftest_panic_double_free+0x");
	page_free(page, 0);
	page_free(page, 0);
	return "a page could be freed twice";
}

static __attribute__((noinline)) uint64_t recurse(volatile uint64_t depth)
{
	volatile uint64_t room[32];

	room[depth % 32] = depth;
	if (depth == UINT64_MAX) /* never; the compiler refuses a recursion without end */
		return 0;
	return recurse(depth + 1) + room[depth % 32];
}

const char *selftest_panic_stack_overflow(void)
{
	selftest_expect_panic("is below the kernel stack of CPU 0", "recurse+0x");
	return recurse(0) ? "a stack without end" : "a stack without end, of zeroes";
}

static void panic_here(void *unused)
{
	(void)unused;
	panic("CPU %u of many", this_cpu()->id);
}

const char *selftest_panic_all_at_once(void)
{
	selftest_expect_panic("of many", "panic_here+0x");
	xcall_all(panic_here, NULL);
	return "nobody panicked";
}

static void panic_from_hook(const char *report)
{
	panic("in the hook of \"%.20s\"", report);
}

const char *selftest_panic_in_panic(void)
{
	selftest_expect_panic("the first", "selftest_panic_in_panic+0x");
	panic_set_hook(panic_from_hook);
	panic("the first");
}
