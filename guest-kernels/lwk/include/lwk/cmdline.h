/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line: words separated by spaces, `key` or `key=value`. */
#ifndef LWK_CMDLINE_H
#define LWK_CMDLINE_H

#include <lwk/types.h>

/* `text` is copied. */
void cmdline_init(const char *text);

/* The whole line. */
const char *cmdline_text(void);

/*
 * Copies the value of `key` (cut to size - 1); the last of several wins. False if the key is absent
 * or has no '='.
 */
bool cmdline_string(const char *key, char *value, size_t size);

/*
 * The value as a number (0x for hexadecimal); `otherwise` if absent. A value that is no number is
 * logged and ignored.
 */
uint64_t cmdline_number(const char *key, uint64_t otherwise);

/* All of `text` as a number, written as above. */
bool cmdline_parse_number(const char *text, uint64_t *number);

/* The bare word `key`, or key=1. */
bool cmdline_flag(const char *key);

#endif
