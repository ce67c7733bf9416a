/* SPDX-License-Identifier: Apache-2.0 */
/* Checks inside the running kernel: selftest=<name>[,<name>...] or selftest=all on the command line. */
#ifndef LWK_SELFTEST_H
#define LWK_SELFTEST_H

#include <lwk/types.h>

/* Returns NULL for PASS, or why it failed: a constant text, or one made by selftest_failed(). */
typedef const char *(*selftest_fn)(void);

struct selftest {
	const char *name;
	selftest_fn run;
};

/* Formats a reason for failure into a buffer of its own; one at a time. */
const char *selftest_failed(const char *format, ...) PRINTF_LIKE(1, 2);

#define SELFTEST_EXPECT(condition)                                                                 \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return selftest_failed("%s:%d: %s", __FILE__, __LINE__, #condition);       \
	} while (0)

/* Runs what the command line asks for and ends the VM with the verdict; returns if it asks for nothing. */
void selftest_run(void);

/* One declaration for each entry of the table in kernel/selftest.c. */
const char *selftest_atomics(void);
const char *selftest_interrupt(void);
const char *selftest_memory(void);

#endif
