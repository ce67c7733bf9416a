/* SPDX-License-Identifier: Apache-2.0 */
/* The "user memory" of a program in a test is memory like any other; a null pointer is a fault. */
#ifndef NATIVE_LINUX_UACCESS_H
#define NATIVE_LINUX_UACCESS_H

#include <linux/err.h>
#include <linux/slab.h>

#define u64_to_user_ptr(address) ((void *)(uintptr_t)(address))

static inline unsigned long copy_to_user(void *to, const void *from, size_t size)
{
	if (!to)
		return size;
	if (size)
		memcpy(to, from, size);
	return 0;
}

static inline unsigned long copy_from_user(void *to, const void *from, size_t size)
{
	return copy_to_user(to, from, from ? size : 0) || !from;
}

#define put_user(value, pointer) ((pointer) ? (*(pointer) = (value), 0) : -EFAULT)
#define get_user(value, pointer) ((pointer) ? ((value) = *(pointer), 0) : -EFAULT)

static inline void *memdup_user(const void *from, size_t size)
{
	void *copy = kmalloc(size, GFP_KERNEL);

	if (!copy)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(copy, from, size)) {
		kfree(copy);
		return ERR_PTR(-EFAULT);
	}
	return copy;
}

#endif
