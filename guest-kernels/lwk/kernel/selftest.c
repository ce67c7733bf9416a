/* SPDX-License-Identifier: Apache-2.0 */
/* Runs self-tests and ends the VM with their verdict. */
#include <lwk/cmdline.h>
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/power.h>
#include <lwk/printf.h>
#include <lwk/selftest.h>
#include <lwk/string.h>
#include <lwk/time.h>

/* isa-debug-exit makes them QEMU's exit status 33 and 35 */
#define VERDICT_PASS 0x10
#define VERDICT_FAIL 0x11

static const struct {
	const char *name;
	const char *(*run)(void);
	bool alone; /* ends in a panic, or needs the fabric: only by its own name, not with "all" */
} tests[] = {
	{ "text", selftest_text, false },
	{ "memory", selftest_memory, false },
	{ "mapping", selftest_mapping, false },
	{ "traps", selftest_traps, false },
	{ "backtrace", selftest_backtrace, false },
	{ "smp", selftest_smp, false },
	{ "atomics", selftest_atomics, false },
	{ "tsc", selftest_tsc, false },
	{ "timer", selftest_timer, false },
	{ "pool", selftest_pool, false },
	{ "space", selftest_space, false },
	{ "user-access", selftest_user_access, false },
	{ "interrupt", selftest_interrupt, true },
	{ "atomics-shared", selftest_atomics_shared, true },
	{ "panic", selftest_panic, true },
	{ "panic-double-free", selftest_panic_double_free, true },
	{ "panic-stack-overflow", selftest_panic_stack_overflow, true },
	{ "panic-all-at-once", selftest_panic_all_at_once, true },
	{ "panic-in-panic", selftest_panic_in_panic, true },
};

static unsigned int passed, failed;
static const char *running;
static const char *expected[2];
static char failure[LOG_LINE_MAX];

const char *selftest_failed(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(failure, sizeof(failure), format, arguments);
	va_end(arguments);
	return failure;
}

/* At the level of a panic, so that no loglevel= hides a verdict. */
static void report(const char *name, const char *why)
{
	if (why) {
		failed++;
		log_write(LOG_PANIC, "selftest: %s: FAIL: %s", name, why);
	} else {
		passed++;
		log_write(LOG_PANIC, "selftest: %s: PASS", name);
	}
}

static _Noreturn void finish(void)
{
	log_write(LOG_PANIC, "selftest: %u passed, %u failed", passed, failed);
	power_debug_exit(failed || !passed ? VERDICT_FAIL : VERDICT_PASS);
}

void selftest_expect_panic(const char *words, const char *more_words)
{
	expected[0] = words;
	expected[1] = more_words;
}

static void end_of_panic(const char *text)
{
	const char *line_end = strchr(text, '\n');

	if (!expected[0])
		report(running,
		       selftest_failed("%.*s", line_end ? (int)(line_end - text) : -1, text));
	else if (!strstr(text, expected[0]))
		report(running,
		       selftest_failed("the report of the panic lacks \"%s\"", expected[0]));
	else if (!strstr(text, expected[1]))
		report(running,
		       selftest_failed("the report of the panic lacks \"%s\"", expected[1]));
	else
		report(running, NULL);
	finish();
}

static void run_one(unsigned int test)
{
	running = tests[test].name;
	report(running, tests[test].run());
}

static void run_named(const char *name)
{
	bool all = !strcmp(name, "all"), found = false;

	for (unsigned int test = 0; test < ARRAY_SIZE(tests); test++) {
		if (all ? !tests[test].alone : !strcmp(name, tests[test].name)) {
			found = true;
			run_one(test);
		}
	}
	if (!found)
		report(name, "no such test");
}

void selftest_run(void)
{
	char list[256];
	char *name = list;

	if (!cmdline_string("selftest", list, sizeof(list)))
		return;
	panic_set_end(end_of_panic);
	while (name) {
		char *comma = (char *)strchr(name, ',');

		if (comma)
			*comma++ = '\0';
		run_named(name);
		name = comma;
	}
	finish();
}
