/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program on an LWK finds in /proc and /sys of itself, its CPUs and its memory: the LWK's, not the host's
 * (docs/user-mode.md). Made when it is opened, of what the LWK tells then.
 */
#ifndef VIEWS_H
#define VIEWS_H

#include "program.h"
#include "proxy.h"

/* Before any call is made. The program stays where it is. `before_waiting` is called before what may wait for somebody else. */
void views_begin(const struct proxy *proxy, const struct program *program, void (*before_waiting)(void));

/* No call has such a result. */
#define VIEWS_NOT_OURS (-0x10000)
#define VIEWS_TELL_FIRST (-0x10001)

/*
 * Makes a call if it is about such a path: its result, or a negative errno. VIEWS_NOT_OURS: it is not. VIEWS_TELL_FIRST: the
 * LWK has to tell *facts first, and to make the call again.
 */
long views_call(const struct ikc_process_message *call, uint64_t *facts);

#endif
