/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of a process that wait at an address for others to wake them. Deadlines are by time_ns(). */
#ifndef LWK_FUTEX_H
#define LWK_FUTEX_H

#include <lwk/types.h>

#define FUTEX_ANY UINT32_MAX /* of bits */
#define FUTEX_FOR_EVER UINT64_MAX
#define FUTEX_MANY_MAX 128

/* In the int of a lock: the id of the thread that has it, 0: none; that the one that had it ended; that there are waiters. */
#define FUTEX_OWNER 0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_HAS_WAITERS 0x80000000u

struct futex_waiter;
struct process;
struct thread;

/*
 * Waits while the int at the address is `expected`. 0: woken; -EAGAIN: it is another; -ETIMEDOUT: at the deadline;
 * -EINTR: a signal is due, or the process ends; -EFAULT.
 */
int futex_wait(uint64_t address, uint32_t expected, uint64_t deadline, uint32_t bits);

/* As futex_wait(), at many at once; which one it was that was woken. */
int futex_wait_many(struct futex_waiter *waiters, unsigned int count, uint64_t deadline);

/*
 * Wakes at most so many who wait there for any of these bits; returns how many. In a thread, or in none.
 * -EINVAL: who waits there is in line for a lock.
 */
int futex_wake(struct process *process, uint64_t address, uint32_t most, uint32_t bits);

/*
 * Wakes at most `most`, and lets at most `most_moved` of the others wait at another address; returns how many that were.
 * With `expected`, only if the int at the address is that: else -EAGAIN. -EFAULT; -EINVAL as above.
 */
int futex_requeue(struct process *process, uint64_t address, uint32_t most, uint64_t other, uint32_t most_moved,
		  const uint32_t *expected);

/*
 * Locks: an int that holds its owner's thread id, and two flags; who waits for it gets it from its owner, in turn.
 * Linux' PI futexes, without the inheritance: an LWK has no priorities.
 */

/* -EAGAIN, with `only_tries`: somebody has it; -EDEADLK: this thread has; -ESRCH: who has it is not there; -EFAULT;
 * -ETIMEDOUT; -EINTR. */
int futex_lock(struct process *process, uint64_t address, uint64_t deadline, bool only_tries);

/* -EPERM: it is not this thread's; -EINVAL: somebody waits there for no lock; -EFAULT. */
int futex_unlock(struct process *process, uint64_t address);

/*
 * As futex_wait(), but comes back with the lock, once it has been requeued there. -EAGAIN also: a signal is due, and it
 * has been requeued; -EINTR: it has not.
 */
int futex_wait_for_lock(uint64_t address, uint32_t expected, uint64_t deadline, uint64_t lock);

/* Hands the lock to the first who waits at the address for that, or puts him in line there, and `most` others: how many. */
int futex_requeue_for_lock(struct process *process, uint64_t address, uint32_t expected, uint64_t lock, uint32_t most);

/* A thread of that id is no more: who waits for its locks gets them. */
void futex_owner_ended(struct process *process, uint32_t id);

#define ROBUST_LIST_SIZE 24

/* This thread ends: the locks in its list (set_robust_list) tell that, and who waits for one is woken. */
void futex_give_up_list(struct thread *thread);

#endif
