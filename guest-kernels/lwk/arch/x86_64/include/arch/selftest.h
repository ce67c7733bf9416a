/* SPDX-License-Identifier: Apache-2.0 */
/* Traps made on purpose, for self-tests. Each returns 0 or FIXUP_TRAPPED | vector, and goes on. */
#ifndef ARCH_SELFTEST_H
#define ARCH_SELFTEST_H

#include <lwk/types.h>

uint64_t traps_on_undefined(void);
uint64_t traps_on_division_by_zero(void);
uint64_t traps_on_write(void *address);
uint64_t traps_on_execution_of_data(void);

#endif
