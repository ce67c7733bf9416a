/* SPDX-License-Identifier: Apache-2.0 */
/*
 * To and from the memory of the program that runs here. Whatever address it gave: 0, or -EFAULT when a byte
 * is not its own to read or write.
 */
#ifndef LWK_USER_COPY_H
#define LWK_USER_COPY_H

#include <lwk/types.h>

int copy_from_user(void *to, uint64_t from, size_t size);
int copy_to_user(uint64_t to, const void *from, size_t size);
int clear_user(uint64_t to, size_t size);

/* Stores `value` if `expected` was there; else -EAGAIN. At a multiple of 4. */
int compare_and_swap_user(uint64_t at, uint32_t expected, uint32_t value);

/* True if all of it lies where programs have memory, mapped or not. */
bool user_range_is_valid(uint64_t address, uint64_t size);

#endif
