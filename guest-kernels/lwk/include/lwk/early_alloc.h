/* SPDX-License-Identifier: Apache-2.0 */
/* Memory before there is a page allocator: taken from behind the kernel image, never given back. */
#ifndef LWK_EARLY_ALLOC_H
#define LWK_EARLY_ALLOC_H

#include <lwk/types.h>

/* Whole pages, zeroed. Panics when there are none. Legal until page_alloc_init(). */
void *early_alloc(size_t size);

/* Ends it. Returns the end of what the image and early_alloc() occupy. */
paddr_t early_alloc_close(void);

#endif
