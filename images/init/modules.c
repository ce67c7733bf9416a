// SPDX-License-Identifier: Apache-2.0
/*
 * Kernel modules, from lists that were put in order when the image was built, so that nothing here
 * needs modprobe or its index files. Parameters come from the command line, as modprobe takes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "init.h"

enum { PATH_SIZE = 256, NAME_SIZE = PATH_SIZE, PARAMETERS_SIZE = 1024 };

/* The kernel's name of the module in a file: no folder, no suffix, '_' for '-'. */
static void module_name(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *file = slash ? slash + 1 : path;

	snprintf(name, size, "%.*s", (int)strcspn(file, "."), file);
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

static void load(const char *path)
{
	char parameters[PARAMETERS_SIZE];
	char name[NAME_SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		report_errno("cannot open module %s", path);
		return;
	}
	module_name(path, name, sizeof(name));
	cmdline_module_parameters(name, parameters, sizeof(parameters));
	if (syscall(SYS_finit_module, fd, parameters, 0) && errno != EEXIST)
		report_errno("cannot load module %s", path);
	close(fd);
}

void modules_load(const char *list)
{
	char path[PATH_SIZE];
	FILE *file;

	snprintf(path, sizeof(path), "/etc/modules/%s", list);
	file = fopen(path, "re");
	if (!file) {
		report_errno("cannot open %s", path);
		return;
	}
	while (fgets(path, sizeof(path), file)) {
		path[strcspn(path, "\n")] = '\0';
		if (path[0])
			load(path);
	}
	fclose(file);
}
