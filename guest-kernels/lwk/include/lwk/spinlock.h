/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket locks: first come, first served. Holders have interrupts off, so that a handler may take the lock too. */
#ifndef LWK_SPINLOCK_H
#define LWK_SPINLOCK_H

#include <arch/cpu.h>
#include <lwk/types.h>

struct spinlock {
	uint32_t next; /* the ticket that the next comer draws */
	uint32_t serving;
};

#define SPINLOCK_INIT { 0, 0 }

/* Returns the interrupt state to give to spin_unlock(). */
static inline uint64_t spin_lock(struct spinlock *lock)
{
	uint64_t flags = interrupts_save();
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
	return flags;
}

/* Takes the lock only if it is free; fills `flags` then. */
static inline bool spin_try_lock(struct spinlock *lock, uint64_t *flags)
{
	uint32_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);

	*flags = interrupts_save();
	if (__atomic_compare_exchange_n(&lock->next, &serving, serving + 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED))
		return true;
	interrupts_restore(*flags);
	return false;
}

static inline void spin_unlock(struct spinlock *lock, uint64_t flags)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
	interrupts_restore(flags);
}

#endif
