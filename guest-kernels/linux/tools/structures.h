/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that take structures in which there are pointers. The structure is copied, the pointers of the copy are looked at,
 * and the call is made on the copy: what the program changes meanwhile is of no use to it.
 */
#ifndef STRUCTURES_H
#define STRUCTURES_H

#include <stdbool.h>
#include <stdint.h>

/* True: the call was made, or is refused; *result is what it returns. */
bool structures_call(uint64_t number, const uint64_t *words, long *result);

#endif
