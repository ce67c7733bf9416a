/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory as several kernels see it: each at an address of its own, with nothing before it and
 * behind it.
 */
#ifndef GUARDED_H
#define GUARDED_H

#include <stddef.h>

#define GUARDED_VIEWS 3

struct guarded {
	void *at[GUARDED_VIEWS]; /* the same bytes; an access outside any of them faults */
	size_t size;
	int fd;
};

/* `size` is whole pages; zeroed. */
struct guarded guarded_create(size_t size);
void guarded_destroy(struct guarded *guarded);

/* What is written through that view from now on is seen there alone; and again by all. */
void guarded_cut(const struct guarded *guarded, int view);
void guarded_join(const struct guarded *guarded, int view);

/* Private memory of any size whose end is followed by nothing. Kept until the process ends. */
void *guarded_end(size_t size);

#endif
