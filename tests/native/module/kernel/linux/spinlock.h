/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_SPINLOCK_H
#define NATIVE_LINUX_SPINLOCK_H

#include <linux/lockdep.h>
#include <pthread.h>

typedef struct {
	pthread_mutex_t mutex;
	struct lock_class *class;
} spinlock_t, raw_spinlock_t;

#define spin_lock_init(lock)                                    \
	do {                                                    \
		static struct lock_class class_ = { #lock, 0 }; \
		spin_lock_init_class((lock), &class_);          \
	} while (0)

static inline void spin_lock_init_class(spinlock_t *lock, struct lock_class *class)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->class = class;
}

static inline void spin_lock_with(spinlock_t *lock, bool irqs_off)
{
	lockdep_acquire(lock->class, irqs_off);
	preempt_disable();
	pthread_mutex_lock(&lock->mutex);
}

static inline void spin_unlock(spinlock_t *lock)
{
	struct lock_class *class = lock->class;

	pthread_mutex_unlock(&lock->mutex); /* whoever takes it next may free it */
	preempt_enable();
	lockdep_release(class);
}

#define spin_lock(lock) spin_lock_with((lock), false)
#define spin_lock_irq(lock) spin_lock_with((lock), true)
#define spin_unlock_irq(lock) spin_unlock(lock)
#define spin_lock_irqsave(lock, flags) ((flags) = 0, spin_lock_with((lock), true))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), spin_unlock(lock))

#endif
