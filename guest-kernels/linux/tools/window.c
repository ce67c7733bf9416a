/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl window: the memory of another partition, read in place. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "device.h"
#include "error.h"
#include "options.h"
#include "verbs.h"

#define WINDOW_READ_MAX (1 << 20)
#define WINDOW_PAGE 4096
#define WINDOW_LINE 16

static const uint8_t *window_map(const char *name, uint64_t address, uint64_t length)
{
	char path[sizeof("/dev/ikc-window-") + IKC_NAME_SIZE];
	uint64_t begin = address & ~(uint64_t)(WINDOW_PAGE - 1);
	uint8_t *mapped;
	int fd;

	snprintf(path, sizeof(path), "/dev/ikc-window-%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(EXIT_FAILED, "%s: %s", path,
		    errno == ENOENT ? "this partition has no window onto it" : strerror(errno));
	mapped = mmap(NULL, address - begin + length, PROT_READ, MAP_SHARED, fd, begin);
	if (mapped == MAP_FAILED)
		die(EXIT_FAILED, "%s: 0x%llx and %llu bytes on: %s", path, (unsigned long long)address,
		    (unsigned long long)length,
		    errno == ENXIO ? "not all of it is its memory" : strerror(errno));
	return mapped + (address - begin);
}

static void window_print_line(uint64_t address, const uint8_t *bytes, uint64_t count)
{
	uint64_t i;

	printf("%012llx ", (unsigned long long)address);
	for (i = 0; i < WINDOW_LINE; i++)
		if (i < count)
			printf(" %02x", bytes[i]);
		else
			fputs("   ", stdout);
	fputs("  ", stdout);
	for (i = 0; i < count; i++)
		putchar(isprint(bytes[i]) ? bytes[i] : '.');
	putchar('\n');
}

int verb_window(char **words)
{
	static const struct option_rule rules[] = { { "--read", false }, { 0 } };
	struct options options = options_read(words, rules, "PEER ADDRESS LENGTH");
	uint64_t address = option_number("ADDRESS", options.operands[1], 0, INT64_MAX - WINDOW_READ_MAX);
	uint64_t length = option_number("LENGTH", options.operands[2], 1, WINDOW_READ_MAX);
	struct device device;
	const uint8_t *bytes;
	char name[IKC_NAME_SIZE];
	uint64_t at;

	if (!options.values[0])
		die(EXIT_USAGE, "window needs --read");
	device = device_open();
	device_name(&device, device_find_peer(&device, options.operands[0]), name);
	bytes = window_map(name, address, length);
	for (at = 0; at < length; at += WINDOW_LINE) {
		uint8_t line[WINDOW_LINE];
		uint64_t count = length - at < WINDOW_LINE ? length - at : WINDOW_LINE;

		memcpy(line, bytes + at, count);
		window_print_line(address + at, line, count);
	}
	return 0;
}
