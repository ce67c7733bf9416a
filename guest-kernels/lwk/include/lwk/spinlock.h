/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin locks. Holders have interrupts off, so that a handler may take the lock too.
 *
 * Whoever runs may take a free lock: not first come, first served. Virtual CPUs share real ones,
 * and a queue would stand still each time its next in line is not running (64 CPUs on 2 real ones:
 * a lock handed over 10 times a second).
 */
#ifndef LWK_SPINLOCK_H
#define LWK_SPINLOCK_H

#include <arch/cpu.h>
#include <lwk/types.h>

struct spinlock {
	bool held;
};

#define SPINLOCK_INIT { false }

/* Takes the lock only if it is free; fills `flags` then. */
static inline bool spin_try_lock(struct spinlock *lock, uint64_t *flags)
{
	*flags = interrupts_save();
	if (!__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE))
		return true;
	interrupts_restore(*flags);
	return false;
}

/* Returns the interrupt state to give to spin_unlock(). */
static inline uint64_t spin_lock(struct spinlock *lock)
{
	uint64_t flags = interrupts_save();

	/* between tries it looks without taking the cache line */
	while (__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
			cpu_relax();
	return flags;
}

static inline void spin_unlock(struct spinlock *lock, uint64_t flags)
{
	__atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
	interrupts_restore(flags);
}

#endif
