/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_ATOMIC_H
#define NATIVE_LINUX_ATOMIC_H

typedef struct {
	int counter;
} atomic_t;

#define atomic_set(atomic, value) __atomic_store_n(&(atomic)->counter, (value), __ATOMIC_RELAXED)
#define atomic_inc(atomic) ((void)__atomic_add_fetch(&(atomic)->counter, 1, __ATOMIC_RELAXED))
#define atomic_dec_and_test(atomic) (!__atomic_sub_fetch(&(atomic)->counter, 1, __ATOMIC_ACQ_REL))

#endif
