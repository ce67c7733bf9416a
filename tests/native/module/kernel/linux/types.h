/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_TYPES_H
#define NATIVE_LINUX_TYPES_H

#include_next <linux/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* As in the kernel, where both are one type. */
#define __u64 u64

typedef u64 phys_addr_t;

#endif
