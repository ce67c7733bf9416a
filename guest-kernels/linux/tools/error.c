/* SPDX-License-Identifier: Apache-2.0 */
/* How ikcctl ends when something is wrong. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void die(enum exit_status status, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("ikcctl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(status);
}
