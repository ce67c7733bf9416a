/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked to checks that others wrote, before they begin. A line is written when it is said, so that one is not lost by
 * who faults later. Threads have small stacks: the checks give them some milliseconds to begin, and here a stack is there as a whole.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

#define STACK (64 << 10)

static void __attribute__((constructor)) begin(void)
{
	pthread_attr_t attributes;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	pthread_setattr_default_np(&attributes);
}
