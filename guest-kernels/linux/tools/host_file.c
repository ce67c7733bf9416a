/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the host's /proc. */
#include "host_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Until its end, which is nothing more to read: such files do not tell their size. */
static bool read_all(int fd, char **text)
{
	size_t length = 0, room = 0;
	ssize_t got;

	do {
		if (length + 1 >= room) {
			char *grown = realloc(*text, room = room ? 2 * room : 8192);

			if (!grown)
				return false;
			*text = grown;
		}
		got = read(fd, *text + length, room - length - 1);
		length += got > 0 ? got : 0;
	} while (got > 0);
	(*text)[length] = '\0';
	return !got;
}

char *host_file_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;

	if (fd >= 0 && !read_all(fd, &text)) {
		free(text);
		text = NULL;
	}
	if (fd >= 0)
		close(fd);
	return text;
}
