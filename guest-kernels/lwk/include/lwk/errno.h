/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error numbers: functions return 0 or one of these, negated. The values are Linux's, as programs
 * see them.
 */
#ifndef LWK_ERRNO_H
#define LWK_ERRNO_H

#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define EBADF 9
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENODEV 19
#define EISDIR 21
#define EINVAL 22
#define ENOSPC 28
#define ESPIPE 29
#define ERANGE 34
#define EDEADLK 35
#define ENOSYS 38
#define EPROTO 71
#define EMSGSIZE 90
#define ECONNRESET 104
#define ENOTCONN 107
#define ETIMEDOUT 110

#endif
