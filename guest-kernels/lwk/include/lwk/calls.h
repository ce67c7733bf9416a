/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each system call that ikc_syscalls.def has LOCAL: its result, a negative errno, or CALL_OFFLOAD. */
#ifndef LWK_CALLS_H
#define LWK_CALLS_H

#include <lwk/syscall.h>

#define LWK_CALL_LOCAL(name) int64_t call_##name(struct call *call);
#define LWK_CALL_EITHER(name) LWK_CALL_LOCAL(name)
#define LWK_CALL_OFFLOAD(name)
#define LWK_CALL_REFUSE(name)
#define IKC_SYSCALL(number, name, place, arguments) LWK_CALL_##place(name)
#include <ikc/ikc_syscalls.def>
#undef IKC_SYSCALL

#endif
