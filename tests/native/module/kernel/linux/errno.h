/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_ERRNO_H
#define NATIVE_LINUX_ERRNO_H

#include_next <linux/errno.h>

/* Never seen by programs. */
#define ERESTARTSYS 512

#endif
