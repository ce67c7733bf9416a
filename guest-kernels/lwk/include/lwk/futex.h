/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of a process that wait at an address for others to wake them. */
#ifndef LWK_FUTEX_H
#define LWK_FUTEX_H

#include <lwk/types.h>

#define FUTEX_ANY UINT32_MAX /* of bits */
#define FUTEX_FOR_EVER UINT64_MAX

struct process;

/*
 * Waits while the int at the address is `expected`. 0: woken; -EAGAIN: it is another; -ETIMEDOUT: at the deadline
 * (time_ns()); -EINTR: a signal is due, or the process ends; -EFAULT.
 */
int futex_wait(struct process *process, uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits);

/* Wakes at most so many who wait there for any of these bits; returns how many. In a thread, or in none. */
int futex_wake(struct process *process, uint64_t address, uint32_t most, uint32_t bits);

/* Lets at most `most_moved` of those who are not woken wait at another address; returns woken and moved. */
int futex_requeue(struct process *process, uint64_t address, uint32_t most, uint64_t other, uint32_t most_moved);

#endif
