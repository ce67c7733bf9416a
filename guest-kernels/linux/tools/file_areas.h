/* SPDX-License-Identifier: Apache-2.0 */
/* Which files the program has mapped, and where: the LWK has their bytes, and knows no names. */
#ifndef FILE_AREAS_H
#define FILE_AREAS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_area {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	dev_t device;
	ino_t inode;
	const char *path; /* as the kernel knows the file, which may not say; stays */
};

struct file_areas {
	const struct file_area *all; /* in any order; no two overlap */
	size_t count;
};

/* What was there is no more. Keeps the path's text, and forgets all of it if it is empty, or there is no memory. */
void file_areas_add(const struct file_area *area);

/* From the `offset` on of the file that is open there. */
void file_areas_add_open(uint64_t start, uint64_t size, int fd, uint64_t offset);

/* Nothing is mapped in this range any more. */
void file_areas_drop(uint64_t start, uint64_t size);

/* They stay as they are until they are released. */
struct file_areas file_areas_hold(void);
void file_areas_release(void);

#endif
