/* SPDX-License-Identifier: Apache-2.0 */
/* usage: direct_io DEVICE: what is written from memory goes to the device, and comes back from there, past all caches. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE (1 << 20)
#define BLOCK 4096

int main(int argc, char **argv)
{
	unsigned char *written = aligned_alloc(BLOCK, SIZE), *read_back = aligned_alloc(BLOCK, SIZE);
	int file = open(argv[argc - 1], O_RDWR | O_DIRECT);
	long result;
	int i;

	if (file < 0) {
		perror("open");
		return 1;
	}
	for (i = 0; i < SIZE; i++)
		written[i] = i * 7 + i / BLOCK;
	memset(read_back, 0, SIZE);
	printf("written: %ld\n", (long)pwrite(file, written, SIZE, BLOCK));
	printf("read: %ld\n", (long)pread(file, read_back, SIZE, BLOCK));
	printf("the same: %d\n", !memcmp(written, read_back, SIZE));
	result = pread(file, read_back + 1, 512, 0);
	printf("of an odd address: %ld %d\n", result, result < 0 ? errno : 0);
	return 0;
}
