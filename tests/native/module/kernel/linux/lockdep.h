/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks that go with every lock, as Linux' lockdep makes them. Locks that are made at the same place are of one
 * class. What ends the program, with the classes' names: a class that is taken while one of its own is
 * held; two that were ever taken in both orders, whoever did and through however many others; one that is
 * taken in interrupts, and elsewhere with interrupts on; sleeping with a spinlock, or in an interrupt.
 */
#ifndef NATIVE_LINUX_LOCKDEP_H
#define NATIVE_LINUX_LOCKDEP_H

#include <linux/kernel.h>

struct lock_class {
	const char *name;
	int number; /* 0: not used yet */
};

/* Before a lock of this class is taken, by a thread that may wait for it. */
void lockdep_acquire(struct lock_class *class, bool irqs_off);
void lockdep_release(struct lock_class *class);

/* It was taken by a thread that would not have waited. */
void lockdep_hold(struct lock_class *class);

/* Between these two, this thread must not sleep. */
void preempt_disable(void);
void preempt_enable(void);

/* Between these two, this thread is an interrupt. */
void irq_enter(void);
void irq_exit(void);

/* `what`: this place may sleep there. */
void might_sleep(const char *what);

#endif
