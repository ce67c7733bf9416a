/* SPDX-License-Identifier: Apache-2.0 */
#include "guarded.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
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
	guarded.fd = fd;
	for (int view = 0; view < GUARDED_VIEWS; view++) {
		guarded.at[view] = reserve(size);
		guarded_join(&guarded, view);
	}
	return guarded;
}

/* In one step, for threads that are just writing there; and not a write of this thread to a sanitizer. */
static void map_again(const struct guarded *guarded, int view, int flags)
{
	const long protection = PROT_READ | PROT_WRITE, fixed = flags | MAP_FIXED, fd = guarded->fd;
	long at = syscall(SYS_mmap, guarded->at[view], guarded->size, protection, fixed, fd, 0L);

	CHECK(at == (long)guarded->at[view]);
}

void guarded_cut(const struct guarded *guarded, int view)
{
	map_again(guarded, view, MAP_PRIVATE);
}

void guarded_join(const struct guarded *guarded, int view)
{
	map_again(guarded, view, MAP_SHARED);
}

void guarded_destroy(struct guarded *guarded)
{
	for (int view = 0; view < GUARDED_VIEWS; view++)
		munmap((uint8_t *)guarded->at[view] - PAGE, guarded->size + 2 * PAGE);
	close(guarded->fd);
}

void *guarded_end(size_t size)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;
	uint8_t *base = reserve(whole);

	CHECK(mprotect(base, whole, PROT_READ | PROT_WRITE) == 0);
	return base + whole - size;
}
