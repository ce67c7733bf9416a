/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_SLAB_H
#define NATIVE_LINUX_SLAB_H

#include <linux/kernel.h>

typedef enum { GFP_KERNEL } gfp_t;

/* From malloc(), so that the sanitizers know every object. */
void *kmalloc(size_t size, gfp_t flags);
void *kzalloc(size_t size, gfp_t flags);
void kfree(const void *object);

#define kvcalloc(count, size, flags) kzalloc((count) * (size), (flags))
#define kvfree(object) kfree(object)

/* Is it the turn of something else that can run out to fail? */
bool slab_fails(void);

/* For tests: objects that were not freed yet. */
long slab_live(void);

/* For tests: of the allocations from now on that one fails, counted from 1; 0: none does. */
void slab_fail_at(long number);

/* Allocations since slab_fail_at(). */
long slab_counted(void);

#endif
