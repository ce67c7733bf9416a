/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/lockdep.h>
#include <linux/slab.h>
#include <stdlib.h>

static long live, counted, fail_at;

bool slab_fails(void)
{
	long number = __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED);

	return number == __atomic_load_n(&fail_at, __ATOMIC_RELAXED);
}

void *kmalloc(size_t size, gfp_t flags)
{
	void *object;

	(void)flags;
	might_sleep("kmalloc(GFP_KERNEL)");
	if (slab_fails())
		return NULL;
	object = malloc(size);
	if (!object)
		abort();
	__atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
	memset(object, 0xa5, size);
	return object;
}

void *kzalloc(size_t size, gfp_t flags)
{
	void *object = kmalloc(size, flags);

	return object ? memset(object, 0, size) : NULL;
}

void kfree(const void *object)
{
	if (!object)
		return;
	__atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
	free((void *)object);
}

long slab_live(void)
{
	return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

void slab_fail_at(long number)
{
	__atomic_store_n(&counted, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&fail_at, number, __ATOMIC_RELAXED);
}

long slab_counted(void)
{
	return __atomic_load_n(&counted, __ATOMIC_RELAXED);
}
