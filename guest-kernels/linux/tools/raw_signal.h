/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as the kernel has them: a C library keeps some from its callers that are the program's here. */
#ifndef RAW_SIGNAL_H
#define RAW_SIGNAL_H

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "raw_call.h"

/* As the kernel has it. */
struct raw_action {
	void (*handler)(int number, siginfo_t *info, void *context);
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask; /* a bit for each signal, the first one for 1 */
};

#define RAW_SA_RESTORER 0x04000000ul

_Static_assert(SYS_rt_sigreturn == 15, "as the next line has it");

/* Back from a handler. */
__attribute__((naked, unused)) static void raw_signal_return(void)
{
	asm("mov $15, %eax\n\tsyscall");
}

/* `handler` is called with all other signals blocked. */
static inline struct raw_action raw_action_of(void (*handler)(int, siginfo_t *, void *), uint64_t flags)
{
	return (struct raw_action) { handler, flags | RAW_SA_RESTORER, raw_signal_return, ~0ull };
}

/* `how` as sigprocmask(2) has it; `old` may be NULL. */
static inline void raw_sigprocmask(int how, uint64_t mask, uint64_t *old)
{
	const uint64_t words[6] = { how, (uintptr_t)&mask, (uintptr_t)old, sizeof(mask) };

	raw_call(SYS_rt_sigprocmask, words);
}

/* 0, or a negative errno. */
static inline long raw_sigaction(int number, const struct raw_action *action, struct raw_action *old)
{
	const uint64_t words[6] = { number, (uintptr_t)action, (uintptr_t)old, sizeof(action->mask) };

	return raw_call(SYS_rt_sigaction, words);
}

#endif
