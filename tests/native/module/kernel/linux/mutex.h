/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_MUTEX_H
#define NATIVE_LINUX_MUTEX_H

#include <linux/lockdep.h>
#include <pthread.h>

struct mutex {
	pthread_mutex_t mutex;
	struct lock_class *class;
};

#define mutex_init(lock)                                        \
	do {                                                    \
		static struct lock_class class_ = { #lock, 0 }; \
		mutex_init_class((lock), &class_);              \
	} while (0)

static inline void mutex_init_class(struct mutex *lock, struct lock_class *class)
{
	pthread_mutex_init(&lock->mutex, NULL);
	lock->class = class;
}

static inline void mutex_lock(struct mutex *lock)
{
	might_sleep("mutex_lock");
	lockdep_acquire(lock->class, false);
	pthread_mutex_lock(&lock->mutex);
}

/* Who only tries cannot wait for anybody. */
static inline bool mutex_trylock(struct mutex *lock)
{
	if (pthread_mutex_trylock(&lock->mutex))
		return false;
	lockdep_hold(lock->class);
	return true;
}

int mutex_lock_interruptible(struct mutex *lock);

static inline void mutex_unlock(struct mutex *lock)
{
	lockdep_release(lock->class);
	pthread_mutex_unlock(&lock->mutex);
}

#endif
