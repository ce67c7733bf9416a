/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the kernel by its own decision. */
#ifndef LWK_PANIC_H
#define LWK_PANIC_H

#include <lwk/types.h>

struct trap_frame;

/*
 * Stops all other CPUs, logs reason, registers, backtrace and every CPU's place, tells the hook,
 * and halts.
 */
_Noreturn void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same from a trap: registers and backtrace are those of `frame`. */
_Noreturn void panic_at(const struct trap_frame *frame, const char *format, ...) PRINTF_LIKE(2, 3);

#define ASSERT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);      \
	} while (0)

/*
 * Called once, with the report (reason, place, backtrace; lines end with a newline), after the log
 * is complete and before the VM is told (pvpanic). All other CPUs are stopped, perhaps holding
 * locks: it must not lock, allocate or wait.
 */
typedef void (*panic_hook)(const char *report);
void panic_set_hook(panic_hook hook);

/*
 * Called last with the report, instead of telling the VM and halting. For self-tests; must not
 * return.
 */
typedef void (*panic_end)(const char *report);
void panic_set_end(panic_end end);

/* True from the beginning of a panic on. */
bool panic_in_progress(void);

/*
 * For an NMI that arrives during another CPU's panic: notes where this CPU was, and stops it for
 * good.
 */
_Noreturn void panic_park(const struct trap_frame *frame);

#endif
