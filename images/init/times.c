// SPDX-License-Identifier: Apache-2.0
/*
 * When each step of the boot was done, by CLOCK_MONOTONIC: one line in the kernel log, which
 * `enclave up --profile` reads (orchestrator/profile.py).
 */
#include <stdio.h>
#include <time.h>

#include "init.h"

enum { LINE_SIZE = 256 };

static char line[LINE_SIZE];
static size_t used;

void times_note(const char *done)
{
	struct timespec now;
	int length;

	clock_gettime(CLOCK_MONOTONIC, &now);
	length = snprintf(line + used, sizeof(line) - used, " %s %lld.%06ld", done, (long long)now.tv_sec,
			  now.tv_nsec / 1000);
	if (length > 0 && (size_t)length < sizeof(line) - used)
		used += (size_t)length;
	else
		line[used] = '\0';
}

void times_report(void)
{
	report("times:%s", line);
}
