/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gets hold of a page of a program on an LWK, as Linux does for I/O, until its standard input ends. Arguments: the window of the
 * partition, where its memory is for itself and for Linux, the proxy, and an address that this has read from.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096ul
#define FRAME_MASK ((1ul << 55) - 1)
#define FRAME_IS_PRESENT (1ul << 63)

static uint64_t find_frame(const char *process, uint64_t address)
{
	char path[64];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", process);
	fd = open(path, O_RDONLY);
	if (pread(fd, &entry, sizeof(entry), address / PAGE * sizeof(entry)) != sizeof(entry) ||
	    !(entry & FRAME_IS_PRESENT))
		return 0;
	return entry & FRAME_MASK;
}

int main(int argc, char **argv)
{
	uint64_t guest, host, frame;
	struct iovec page = { .iov_len = PAGE };
	char byte;
	int ends[2];

	if (argc != 6 || pipe(ends))
		return 2;
	guest = strtoul(argv[2], NULL, 0);
	host = strtoul(argv[3], NULL, 0);
	frame = find_frame(argv[4], strtoul(argv[5], NULL, 0));
	if (!frame)
		return 3;
	page.iov_base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open(argv[1], O_RDWR),
			     frame * PAGE - host + guest);
	if (page.iov_base == MAP_FAILED || vmsplice(ends[1], &page, 1, 0) != PAGE)
		return 4;
	munmap(page.iov_base, PAGE);
	puts("pinned");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
