/* SPDX-License-Identifier: Apache-2.0 */
/* Which files the program has mapped. */
#include "file_areas.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file_area *all; /* under it; no two overlap */

/* Of one that is there, from `start` on. NULL: no memory. */
static struct file_area *copy_from(const struct file_area *area, uint64_t start)
{
	size_t size = sizeof(*area) + strlen(area->path) + 1;
	struct file_area *copy = malloc(size);

	if (!copy)
		return NULL;
	memcpy(copy, area, size);
	copy->offset += start - area->start;
	copy->start = start;
	return copy;
}

/* Takes [start, end) out of one. What is left of it behind that is a new one, which follows. */
static void cut(struct file_area *area, uint64_t start, uint64_t end)
{
	struct file_area *behind = area->end > end ? copy_from(area, end) : NULL;

	if (behind)
		area->next = behind;
	area->end = start > area->start ? start : area->start;
}

/* Under the lock. */
static void drop(uint64_t start, uint64_t end)
{
	struct file_area **link = &all;

	while (*link) {
		struct file_area *area = *link;

		if (area->start < end && start < area->end)
			cut(area, start, end);
		if (area->start < area->end) {
			link = &area->next;
			continue;
		}
		*link = area->next;
		free(area);
	}
}

static struct file_area *describe(uint64_t start, uint64_t size, int fd, uint64_t offset)
{
	char link[32], path[PATH_MAX];
	struct file_area *area;
	struct stat status;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0 || fstat(fd, &status))
		return NULL;
	path[length] = '\0';
	area = malloc(sizeof(*area) + length + 1);
	if (area) {
		*area = (struct file_area) { NULL, start, start + size, offset, status.st_dev, status.st_ino };
		memcpy(area->path, path, length + 1);
	}
	return area;
}

void file_areas_add(uint64_t start, uint64_t size, int fd, uint64_t offset)
{
	struct file_area *area = describe(start, size, fd, offset);

	pthread_mutex_lock(&lock);
	drop(start, start + size);
	if (area) {
		area->next = all;
		all = area;
	}
	pthread_mutex_unlock(&lock);
}

void file_areas_drop(uint64_t start, uint64_t size)
{
	pthread_mutex_lock(&lock);
	drop(start, start + size);
	pthread_mutex_unlock(&lock);
}

const struct file_area *file_areas_hold(void)
{
	pthread_mutex_lock(&lock);
	return all;
}

void file_areas_release(void)
{
	pthread_mutex_unlock(&lock);
}
