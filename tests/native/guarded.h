/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory as two kernels see it: twice, at different addresses, with nothing before it and
 * behind it.
 */
#ifndef GUARDED_H
#define GUARDED_H

#include <stddef.h>

struct guarded {
	void *at[2]; /* the same bytes; an access outside either faults */
	size_t size;
};

/* `size` is whole pages; zeroed. */
struct guarded guarded_create(size_t size);
void guarded_destroy(struct guarded *guarded);

/* Private memory of any size whose end is followed by nothing. Kept until the process ends. */
void *guarded_end(size_t size);

#endif
