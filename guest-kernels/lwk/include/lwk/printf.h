/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formatted text: %c %s %d %i %u %x %X %p %%, with flags - 0 #, width, precision (also *), and l ll
 * z h hh.
 */
#ifndef LWK_PRINTF_H
#define LWK_PRINTF_H

#include <lwk/types.h>
#include <stdarg.h>

/*
 * Return the length that the whole text has, like C's; what does not fit is cut, NUL always written
 * if size > 0.
 */
int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments) PRINTF_LIKE(3, 0);
int snprintf(char *buffer, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
