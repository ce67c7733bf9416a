/* SPDX-License-Identifier: Apache-2.0 */
#include "guarded.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define PAGE 4096u

static void *reserve(size_t size)
{
	uint8_t *base = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(base != MAP_FAILED);
	return base + PAGE;
}

struct guarded guarded_create(size_t size)
{
	struct guarded guarded = { .size = size };
	int fd = memfd_create("ikc", MFD_CLOEXEC);

	CHECK(fd >= 0 && size % PAGE == 0);
	CHECK(ftruncate(fd, (off_t)size) == 0);
	for (int view = 0; view < 2; view++) {
		guarded.at[view] = mmap(reserve(size), size, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, fd, 0);
		CHECK(guarded.at[view] != MAP_FAILED);
	}
	close(fd);
	return guarded;
}

void guarded_destroy(struct guarded *guarded)
{
	for (int view = 0; view < 2; view++)
		munmap((uint8_t *)guarded->at[view] - PAGE, guarded->size + 2 * PAGE);
}

void *guarded_end(size_t size)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;
	uint8_t *base = reserve(whole);

	CHECK(mprotect(base, whole, PROT_READ | PROT_WRITE) == 0);
	return base + whole - size;
}
