/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls are made elsewhere than ikc_syscalls.def has them: lwkexec --local, --offload. */
#ifndef CALL_PLACES_H
#define CALL_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy.h"

#define CALL_PLACES_MAX 512

struct call_places {
	uint8_t said[CALL_PLACES_MAX]; /* of each call: nothing, or where */
};

/* Notes what a list like "getpid,96" says. Exits with words if there is no such call, or if it cannot be made there. */
void call_places_read(struct call_places *places, const char *option, const char *list, bool offloaded);

/* Tells the LWK, before the program begins; and takes its answers. */
void call_places_ask(const struct call_places *places, const struct proxy *proxy);
void call_places_take(const struct call_places *places, const struct proxy *proxy);

#endif
