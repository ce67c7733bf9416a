/* SPDX-License-Identifier: Apache-2.0 */
/* The console that is there from the first line on. */
#ifndef ARCH_CONSOLE_H
#define ARCH_CONSOLE_H

#include <lwk/types.h>

void console_init(void);

/* The caller has the log's lock. */
void console_write(const char *text, size_t length);

#endif
