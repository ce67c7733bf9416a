/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's memory, by addresses that it names: they may be any, and what is there may go at any moment. What cannot be
 * reached is false here, rather than a signal. Copied once: what is there may change.
 */
#ifndef PROGRAM_MEMORY_H
#define PROGRAM_MEMORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing of the proxy's is there, or right behind it. */
bool program_memory_has(uint64_t address);

bool program_memory_read(uint64_t address, void *to, size_t size);
bool program_memory_write(uint64_t address, const void *from, size_t size);

/* With the zero at its end; false also if it is longer. */
bool program_memory_text(uint64_t address, char text[PATH_MAX]);

#endif
