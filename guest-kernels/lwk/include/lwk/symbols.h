/* SPDX-License-Identifier: Apache-2.0 */
/* Names of code addresses, from the table that the build puts into the kernel. */
#ifndef LWK_SYMBOLS_H
#define LWK_SYMBOLS_H

#include <lwk/types.h>

/* The function that holds `address`, and how far into it; NULL if there is none. */
const char *symbol_lookup(uint64_t address, uint64_t *offset);

/* "name+0x12", or "?". Returns `buffer`. */
const char *symbol_format(char *buffer, size_t size, uint64_t address);

#endif
