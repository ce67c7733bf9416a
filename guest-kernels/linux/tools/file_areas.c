/* SPDX-License-Identifier: Apache-2.0 */
/* Which files the program has mapped. */
#include "file_areas.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a file that was mapped once. There are not many, and they stay. */
struct name {
	struct name *next;
	char path[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct name *names; /* under it, and so are the areas */
static struct file_area *areas;
static size_t count, room;

/* NULL: no memory. */
static const char *keep_name(const char *path)
{
	size_t size = strlen(path) + 1;
	struct name *name;

	for (name = names; name; name = name->next)
		if (!strcmp(name->path, path))
			return name->path;
	name = malloc(sizeof(*name) + size);
	if (!name)
		return NULL;
	memcpy(name->path, path, size);
	name->next = names;
	names = name;
	return name->path;
}

/* An empty one is none. */
static void add(struct file_area area)
{
	if (area.start >= area.end)
		return;
	if (count == room) {
		size_t wanted = room ? 2 * room : 64;
		struct file_area *grown = realloc(areas, wanted * sizeof(*areas));

		if (!grown)
			return;
		areas = grown;
		room = wanted;
	}
	areas[count++] = area;
}

/* Takes the range out of those that have a part of it; what is left of them comes last. */
static void drop(uint64_t start, uint64_t end)
{
	size_t i = count;

	while (i-- > 0) {
		struct file_area before = areas[i], behind = areas[i];

		if (before.start >= end || start >= before.end)
			continue;
		areas[i] = areas[--count];
		before.end = start;
		behind.offset += end - behind.start;
		behind.start = end;
		add(before);
		add(behind);
	}
}

void file_areas_add(const struct file_area *area)
{
	struct file_area kept = *area;

	pthread_mutex_lock(&lock);
	drop(area->start, area->end);
	kept.path = *area->path ? keep_name(area->path) : NULL;
	if (kept.path)
		add(kept);
	pthread_mutex_unlock(&lock);
}

void file_areas_add_open(uint64_t start, uint64_t size, int fd, uint64_t offset)
{
	char link[32], path[PATH_MAX];
	struct stat status;
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0 || fstat(fd, &status))
		length = 0;
	path[length] = '\0';
	file_areas_add(&(struct file_area) { start, start + size, offset, status.st_dev, status.st_ino, path });
}

void file_areas_drop(uint64_t start, uint64_t size)
{
	pthread_mutex_lock(&lock);
	drop(start, start + size);
	pthread_mutex_unlock(&lock);
}

struct file_areas file_areas_hold(void)
{
	pthread_mutex_lock(&lock);
	return (struct file_areas) { areas, count };
}

void file_areas_release(void)
{
	pthread_mutex_unlock(&lock);
}
