/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: the read-only part of a program's file, as it lies in memory. When a process ends, what it has of images is kept for
 * the next one of the same program, which then need not be zeroed, copied and, in a VM without hardware support,
 * translated again. At any time an image is one process's alone, or nobody's.
 */
#ifndef LWK_IMAGE_H
#define LWK_IMAGE_H

#include <lwk/types.h>

struct space;

#define IMAGES_OF_SPACE 2 /* the program and its interpreter */

/* What a space has of an image. */
struct image_place {
	uint64_t key[2]; /* 0, 0: none; the proxy's name for the content */
	uint64_t start;
	uint64_t end;
};

/*
 * Says that [start, end) of a space is that image, and shows its pages there if they are kept on this CPU's node: true. Else
 * somebody has to map and fill it. Before the process runs.
 */
bool image_use(struct space *space, uint64_t start, uint64_t end, const uint64_t *key, uint32_t protection);

/* Somebody may write there, or takes pages away: what is there is no image any more. */
void image_forget(struct space *space, uint64_t start, uint64_t end);

/* The space is about to be destroyed: takes out of it what can be kept. */
void image_keep_all(struct space *space);

/* Pages that are kept on a node: as good as free. */
uint64_t image_pages(unsigned int node);

/* Gives all of them back. False: there were none. */
bool image_drop_all(void);

#endif
