/* SPDX-License-Identifier: Apache-2.0 */
/* How a tool ends when something is wrong. */
#define _GNU_SOURCE
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_only_status;

void die(enum exit_status status, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int length;

	fflush(stdout);
	/* in one piece: others may write there too */
	length = snprintf(line, sizeof(line), "%s: ", program_invocation_short_name);
	va_start(arguments, format);
	vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	va_end(arguments);
	strcat(line, "\n");
	fputs(line, stderr);
	exit(error_only_status ? error_only_status : (int)status);
}
