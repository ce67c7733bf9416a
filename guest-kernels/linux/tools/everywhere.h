/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that in Linux are about the thread that makes them, and for a program about its process: whichever worker makes the
 * next call, they hold for it. So they are made by all.
 */
#ifndef EVERYWHERE_H
#define EVERYWHERE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define EVERYWHERE_SIGNAL (SIGRTMAX - 1)

/* By the only thread, before there are others. */
void everywhere_begin(void);

/* As pthread_create. */
int everywhere_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *));

bool everywhere_is_meant(uint64_t number, const uint64_t *words);

/* The result is that of the thread that calls; the others have done the same when this returns. */
long everywhere_call(uint64_t number, const uint64_t *words);

#endif
