/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks inside the running kernel: selftest=<name>[,<name>...] or selftest=all on the command
 * line.
 */
#ifndef LWK_SELFTEST_H
#define LWK_SELFTEST_H

#include <lwk/types.h>

/* Makes a reason for failure, in a buffer of its own; one at a time. */
const char *selftest_failed(const char *format, ...) PRINTF_LIKE(1, 2);

#define SELFTEST_EXPECT(condition)                                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return selftest_failed("%s:%d: not so: %s", __FILE__, __LINE__,            \
					       #condition);                                        \
	} while (0)

/*
 * Calls round(arg) on all CPUs again and again for a tenth of a second, interrupts off, all
 * beginning together. Returns how many rounds there were.
 */
uint64_t selftest_together(void (*round)(void *arg), void *arg);

/*
 * Runs what the command line asks for and ends the VM with the verdict; returns if it asks for
 * nothing.
 */
void selftest_run(void);

/* The tests: each returns NULL for PASS, or why it failed. The table is in kernel/selftest.c. */
const char *selftest_text(void);
const char *selftest_memory(void);
const char *selftest_mapping(void);
const char *selftest_traps(void);
const char *selftest_backtrace(void);
const char *selftest_smp(void);
const char *selftest_atomics(void);
const char *selftest_tsc(void);
const char *selftest_timer(void);
const char *selftest_pool(void);
const char *selftest_space(void);
const char *selftest_user_access(void);

/* These need an IKC region, the second one with another partition that runs it too. */
const char *selftest_interrupt(void);
const char *selftest_atomics_shared(void);

/* These end in a panic, and the panic with the verdict: PASS if its report has the right words. */
const char *selftest_panic(void);
const char *selftest_panic_double_free(void);
const char *selftest_panic_stack_overflow(void);
const char *selftest_panic_all_at_once(void);
const char *selftest_panic_in_panic(void);

/* For those: the words that the report must have. */
void selftest_expect_panic(const char *words, const char *more_words);

#endif
