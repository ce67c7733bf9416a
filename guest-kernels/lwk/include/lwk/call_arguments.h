/* SPDX-License-Identifier: Apache-2.0 */
/* What a program hands to a call that its proxy makes (ikc_syscalls.def). */
#ifndef LWK_CALL_ARGUMENTS_H
#define LWK_CALL_ARGUMENTS_H

#include <lwk/syscall.h>

/* Whether they lead to where programs have memory, as far as `kinds` tells which of them lead anywhere. */
bool call_arguments_are_good(const struct call *call, const char *kinds);

#endif
