/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_ERR_H
#define NATIVE_LINUX_ERR_H

#include <linux/kernel.h>

#define ERRNO_MAX 4095

#define IS_ERR(pointer) ((uintptr_t)(pointer) >= (uintptr_t)-ERRNO_MAX)
#define PTR_ERR(pointer) ((long)(pointer))
#define ERR_PTR(error) ((void *)(long)(error))

#endif
