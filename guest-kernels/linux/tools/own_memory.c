/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mem. */
#define _GNU_SOURCE
#include "own_memory.h"

#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* .../PROCESS/mem or .../PROCESS/task/THREAD/mem, where the last number is one of this process's threads. */
static bool is_own(char *path)
{
	char *name = strrchr(path, '/'), *number;

	if (!name || strcmp(name, "/mem"))
		return false;
	*name = '\0';
	number = strrchr(path, '/');
	return number && !syscall(SYS_tgkill, getpid(), atoi(number + 1), 0);
}

bool own_memory_is(int file)
{
	char link[32], path[PATH_MAX];
	struct statfs system;
	ssize_t length;

	if (fstatfs(file, &system) || system.f_type != PROC_SUPER_MAGIC)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	return is_own(path);
}
