/* SPDX-License-Identifier: Apache-2.0 */
/* Spaces (IKC_IOCTL_SPACE): what is refused, and what any page table at all leads to. Argument: the window. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "ikc_process.h"
#include "ikc_uapi.h"

#define SIZE (1ul << 30)
#define ROUNDS 100
#define LOOKS 100

static int window;
static int pipe_ends[2];

static int open_space(uint64_t root)
{
	struct ikc_space_open space = { .root = root };

	return ioctl(window, IKC_IOCTL_SPACE, &space);
}

static char *map_at(int space, uint64_t address, int protection, int flags, uint64_t offset)
{
	char *map = mmap((void *)address, SIZE, protection, flags | MAP_FIXED_NOREPLACE, space, offset);

	return map == MAP_FAILED ? NULL : map;
}

/* By the kernel, so that what is not there is an errno and no signal. True: it is. */
static bool can_read(const char *address)
{
	char byte;

	if (write(pipe_ends[1], address, 1) == 1)
		return read(pipe_ends[0], &byte, 1) == 1;
	check(errno == EFAULT);
	return false;
}

static void check_refusals(void)
{
	int space = open_space(0x1000);
	struct ikc_range bad[] = { { 0, 4096 }, { 0x10001, 4096 }, { 0x10000, 0 }, { IKC_USER_END, 4096 },
				   { 0x10000, ~0ull - 4095 } };
	size_t i;

	check(space >= 0);
	check_fails(open_space(0x1001), EINVAL);
	check(!map_at(space, SIZE, PROT_READ, MAP_SHARED, 0));
	check(!map_at(space, SIZE, PROT_READ, MAP_PRIVATE, SIZE));
	check(!map_at(space, SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, SIZE));
	check(!map_at(space, IKC_USER_END, PROT_READ, MAP_SHARED, IKC_USER_END));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_fails(ioctl(space, IKC_IOCTL_ZAP, &bad[i]), EINVAL);
	close(space);
}

/* Anything in the partition's memory, or beyond it, is taken for a page table. */
static void check_any_root(void)
{
	unsigned int seed = 1, round, look;

	for (round = 0; round < ROUNDS; round++) {
		uint64_t root = (uint64_t)(rand_r(&seed) % (1 << 17)) << 12;
		uint64_t address = (uint64_t)(rand_r(&seed) % 60000 + 1) * SIZE;
		int space = open_space(root);
		char *map = map_at(space, address, PROT_READ, MAP_SHARED, address);

		check(space >= 0 && map);
		if (failures)
			return;
		for (look = 0; look < LOOKS; look++)
			can_read(map + (uint64_t)rand_r(&seed) % SIZE);
		munmap(map, SIZE);
		close(space);
	}
}

int main(int argc, char **argv)
{
	window = open(argv[1], O_RDWR);
	check(argc == 2 && window >= 0 && !pipe(pipe_ends));
	if (failures)
		return 1;
	check_refusals();
	check_any_root();
	return failures != 0;
}
