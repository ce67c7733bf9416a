/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the host's /proc, from which a view takes what the LWK knows nothing of. */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include <string.h>

/* All of it, as text, to be freed; NULL: it cannot be read. */
char *host_file_read(const char *path);

static inline size_t host_line_length(const char *line)
{
	size_t length = strcspn(line, "\n");

	return length + (line[length] == '\n');
}

/* Each line of a text, with the newline at its end. */
#define for_each_line(line, length, text)                                                                     \
	for (const char *line = (text), *line##_end = line; *line; line = line##_end)                          \
		for (size_t length = host_line_length(line); line##_end == line; line##_end = line + length)

#endif
