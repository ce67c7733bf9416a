// SPDX-License-Identifier: Apache-2.0
/* The kernel's command line, split at blanks once. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init.h"

enum { CMDLINE_SIZE = 4096, WORDS_MAX = 256 };

static char text[CMDLINE_SIZE];
static char *words[WORDS_MAX];
static int word_count;

void cmdline_read(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length < 0) {
		report_errno("cannot read /proc/cmdline");
		return;
	}
	close(fd);
	text[length] = '\0';
	for (char *word = strtok(text, " \n"); word && word_count < WORDS_MAX; word = strtok(NULL, " \n"))
		words[word_count++] = word;
}

const char *cmdline_value(const char *key)
{
	size_t length = strlen(key);

	for (int i = word_count - 1; i >= 0; i--)
		if (!strncmp(words[i], key, length) && words[i][length] == '=')
			return words[i] + length + 1;
	return NULL;
}

void cmdline_module_parameters(const char *module, char *out, size_t size)
{
	size_t length = strlen(module);
	size_t used = 0;

	out[0] = '\0';
	for (int i = 0; i < word_count; i++) {
		if (strncmp(words[i], module, length) || words[i][length] != '.')
			continue;
		used += snprintf(out + used, size - used, "%s ", words[i] + length + 1);
		if (used >= size) {
			report("the parameters of module %s are longer than %zu bytes: cut", module, size);
			return;
		}
	}
}
