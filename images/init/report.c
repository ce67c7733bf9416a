// SPDX-License-Identifier: Apache-2.0
/* Lines to the kernel log: /dev/kmsg makes one record of each write. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

enum { LINE_SIZE = 512 };

/* Not by dprintf(): it seeks first, and /dev/kmsg refuses that. */
static void write_line(const char *line, size_t length)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	/* Before devtmpfs is mounted there is only the console that the kernel opened for us. */
	if (write(fd < 0 ? STDERR_FILENO : fd, line, length) < 0)
		return;
	if (fd >= 0)
		close(fd);
}

void report(const char *format, ...)
{
	char line[LINE_SIZE];
	int used = snprintf(line, sizeof(line), "init: ");
	va_list arguments;

	va_start(arguments, format);
	used += vsnprintf(line + used, sizeof(line) - used, format, arguments);
	va_end(arguments);
	if (used > LINE_SIZE - 2)
		used = LINE_SIZE - 2;
	line[used] = '\n';
	write_line(line, used + 1);
}

void report_errno(const char *format, ...)
{
	const char *reason = strerror(errno);
	char what[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	report("%s: %s", what, reason);
}
