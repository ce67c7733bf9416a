/* SPDX-License-Identifier: Apache-2.0 */
/* Which files the program has mapped, and where: the LWK has their bytes, and knows no names. */
#ifndef FILE_AREAS_H
#define FILE_AREAS_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct file_area {
	struct file_area *next;
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	dev_t device;
	ino_t inode;
	char path[]; /* as the kernel knows the file */
};

/* From the file's `offset` on. What was there is no more. Forgets it if there is no memory. */
void file_areas_add(uint64_t start, uint64_t size, int fd, uint64_t offset);

/* Nothing is mapped in this range any more. */
void file_areas_drop(uint64_t start, uint64_t size);

/* All, in any order; they stay as they are until they are released. */
const struct file_area *file_areas_hold(void);
void file_areas_release(void);

#endif
