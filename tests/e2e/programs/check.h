/* SPDX-License-Identifier: Apache-2.0 */
/* What was not as it should be is printed, and counted. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int failures;

#define check(condition) check_at(__LINE__, #condition, condition)
#define check_fails(result, error) check_error(__LINE__, #result, result, error)

static void check_at(int line, const char *what, bool holds)
{
	if (holds)
		return;
	printf("line %d: not so: %s (errno: %s)\n", line, what, strerror(errno));
	failures++;
}

static void check_error(int line, const char *what, int result, int error)
{
	if (result == -1 && errno == error)
		return;
	printf("line %d: %s gave %d, errno %s instead of %s\n", line, what, result, strerrorname_np(errno),
	       strerrorname_np(error));
	failures++;
}

#endif
