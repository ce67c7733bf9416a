/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on memory. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/syscall.h>
#include <lwk/user_copy.h>
#include <lwk/user_paging.h>

#define MAP_SHARED 0x1
#define MAP_TYPE 0xf
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_FIXED_NOREPLACE 0x100000

#define MREMAP_MAYMOVE 1
#define MREMAP_FLAGS 1 /* those that are known here */

#define MADV_DONTNEED 4
#define MADV_FREE 8

#define SYSCALL_PREAD64 17

#define PROTECTION_ALL (PROTECTION_READ | PROTECTION_WRITE | PROTECTION_EXECUTE)

/* ---- holding the space ---- */

/* Old rights are known to nobody any more. If that fails the process ends, and the pages stay until it has. */
static int forget(struct space *space, uint64_t start, uint64_t end, uint32_t flags)
{
	user_tables_flush(space->root);
	return offload_zap(start, end - start, flags);
}

static int unmap(struct space *space, uint64_t start, uint64_t end)
{
	int err;

	if (space_is_free(space, start, end))
		return 0;
	err = space_hide(space, start, end);
	if (!err)
		err = forget(space, start, end, IKC_PROCESS_UNMAPPED);
	if (!err)
		space_free_hidden(space, start, end);
	return err;
}

/* What may be done somewhere in there now. */
static uint32_t rights_in(const struct space *space, uint64_t start, uint64_t end)
{
	uint32_t rights = 0;

	while (start < end) {
		const struct area *area = space_area_at(space, start);

		rights |= area->protection;
		start = area->end;
	}
	return rights;
}

static int protect(struct space *space, uint64_t start, uint64_t end, uint32_t protection)
{
	uint32_t had;
	int err;

	if (!space_is_mapped(space, start, end))
		return -ENOMEM;
	had = rights_in(space, start, end);
	err = space_protect(space, start, end, protection);
	if (!err && had & ~protection)
		err = forget(space, start, end, 0);
	else if (!err && had)
		user_tables_flush(space->root); /* or a CPU faults by what it remembers: not of what was not there */
	return err;
}

/* Where a new area is to be. Below 0: nowhere. */
static int64_t choose(struct space *space, uint64_t wanted, uint64_t size, uint64_t flags)
{
	int err = space_range_check(wanted, size);

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (err)
			return wanted & (PAGE_SIZE - 1) ? -EINVAL : -ENOMEM;
		if (flags & MAP_FIXED_NOREPLACE && !space_is_free(space, wanted, wanted + size))
			return -EEXIST;
		return wanted;
	}
	wanted = ALIGN_DOWN(wanted, PAGE_SIZE);
	if (wanted && !space_range_check(wanted, size) && space_is_free(space, wanted, wanted + size))
		return wanted;
	wanted = space_find_gap(space, size);
	return wanted ? (int64_t)wanted : -ENOMEM;
}

static int64_t map(struct space *space, uint64_t wanted, uint64_t size, uint32_t protection, uint64_t flags)
{
	int64_t start = choose(space, wanted, size, flags);
	int err;

	if (start < 0)
		return start;
	err = flags & MAP_FIXED ? unmap(space, start, start + size) : 0;
	if (!err)
		err = space_map(space, start, start + size, protection, &this_thread()->policy);
	return err ? err : start;
}

/* ---- files ---- */

/* As mmap(2) says it. */
static int64_t reading_failed(int64_t err)
{
	switch (err) {
	case -EBADF:
	case -ESRCH:
		return err;
	case -EISDIR:
	case -ESPIPE:
	case -EINVAL:
		return -ENODEV;
	default:
		return -EACCES;
	}
}

/* The proxy reads the file to where the program wants it. What is behind its end stays zero. */
static int64_t read_file(const struct call *call, uint64_t address, uint64_t size)
{
	struct call read = *call;
	uint64_t done = 0;

	read.number = SYSCALL_PREAD64;
	read.flags = IKC_PROCESS_MAPS;
	while (done < size) {
		int64_t got;

		read.args[0] = call->args[4];
		read.args[1] = address + done;
		read.args[2] = size - done;
		read.args[3] = call->args[5] + done;
		got = offload(&read);
		if (got == -EINTR)
			continue; /* a signal is due, and comes when this is done: it is told to the proxy once */
		if (got < 0)
			return reading_failed(got);
		if (!got)
			break;
		done += got;
	}
	return 0;
}

static int64_t map_file(struct call *call, uint64_t size, uint32_t protection, uint64_t flags)
{
	struct space *space = &call->process->space;
	int64_t start, err;

	if (call->args[5] & (PAGE_SIZE - 1))
		return -EINVAL;
	if ((flags & MAP_TYPE) == MAP_SHARED && protection & PROTECTION_WRITE)
		return -ENODEV;
	start = map(space, call->args[0], size, PROTECTION_READ | PROTECTION_WRITE, flags);
	if (start < 0)
		return start;
	err = read_file(call, start, size);
	if (err)
		unmap(space, start, start + size);
	else if (protection != (PROTECTION_READ | PROTECTION_WRITE))
		err = protect(space, start, start + size, protection);
	return err ? err : start;
}

/* ---- the calls ---- */

int64_t call_mmap(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t size = ALIGN_UP(call->args[1], PAGE_SIZE), flags = call->args[3];
	uint32_t protection = call->args[2] & PROTECTION_ALL;
	int64_t result;

	if (!call->args[1] || !(flags & MAP_TYPE))
		return -EINVAL;
	if (size < call->args[1] || size > IKC_USER_END)
		return -ENOMEM;
	space_enter(space);
	if (flags & MAP_ANONYMOUS)
		result = map(space, call->args[0], size, protection, flags);
	else
		result = map_file(call, size, protection, flags);
	space_leave(space);
	return result;
}

int64_t call_munmap(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t start = call->args[0], size = ALIGN_UP(call->args[1], PAGE_SIZE);
	int err = size < call->args[1] ? -EINVAL : space_range_check(start, size);

	if (err)
		return err;
	space_enter(space);
	err = unmap(space, start, start + size);
	space_leave(space);
	return err;
}

int64_t call_mprotect(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t start = call->args[0], size = ALIGN_UP(call->args[1], PAGE_SIZE);
	int err;

	if (start & (PAGE_SIZE - 1) || call->args[2] & ~(uint64_t)PROTECTION_ALL)
		return -EINVAL;
	if (!size)
		return call->args[1] ? -ENOMEM : 0;
	if (space_range_check(start, size))
		return -ENOMEM;
	space_enter(space);
	err = protect(space, start, start + size, call->args[2]);
	space_leave(space);
	return err;
}

/* Tells where the heap ends; unchanged if it cannot be as asked for. */
int64_t call_brk(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t wanted = call->args[0];
	uint64_t old_end, new_end;
	int err = 0;

	space_enter(space);
	old_end = ALIGN_UP(space->heap_end, PAGE_SIZE);
	new_end = ALIGN_UP(wanted, PAGE_SIZE);
	if (wanted < space->heap_start || wanted > IKC_USER_END - PAGE_SIZE)
		err = -EINVAL;
	else if (new_end > old_end && !space_is_free(space, old_end, new_end + PAGE_SIZE))
		err = -ENOMEM;
	else if (new_end > old_end)
		err = space_map(space, old_end, new_end, PROTECTION_READ | PROTECTION_WRITE,
				&call->thread->policy);
	else if (new_end < old_end)
		err = unmap(space, new_end, old_end);
	if (!err)
		space->heap_end = wanted;
	wanted = space->heap_end;
	space_leave(space);
	return wanted;
}

/* Both are the program's: the one that is read has been checked to be mapped. */
static int copy_between(uint64_t to, uint64_t from, uint64_t size)
{
	uint8_t buffer[512];
	int err = 0;

	for (uint64_t at = 0; at < size && !err; at += sizeof(buffer)) {
		uint64_t length = MIN(size - at, sizeof(buffer));

		err = copy_from_user(buffer, from + at, length);
		if (!err)
			err = copy_to_user(to + at, buffer, length);
	}
	return err;
}

static int64_t move(struct space *space, uint64_t start, uint64_t old_size, uint64_t size, uint32_t protection)
{
	int64_t target = map(space, 0, size, PROTECTION_READ | PROTECTION_WRITE, 0);
	int err;

	if (target < 0)
		return target;
	err = copy_between(target, start, old_size);
	if (!err && protection != (PROTECTION_READ | PROTECTION_WRITE))
		err = protect(space, target, target + size, protection);
	unmap(space, err ? (uint64_t)target : start, err ? target + size : start + old_size);
	return err ? err : target;
}

static int64_t remap(struct space *space, const struct call *call, uint64_t old_size, uint64_t size)
{
	uint64_t start = call->args[0];
	const struct area *area = space_area_at(space, start);
	uint32_t protection;
	int err;

	if (!area || area->end < start + old_size)
		return -EFAULT;
	protection = area->protection;
	if (size <= old_size) {
		err = size < old_size ? unmap(space, start + size, start + old_size) : 0;
		return err ? err : (int64_t)start;
	}
	if (!space_range_check(start, size) && space_is_free(space, start + old_size, start + size)) {
		err = space_map(space, start + old_size, start + size, protection, &area->policy);
		return err ? err : (int64_t)start;
	}
	return call->args[3] & MREMAP_MAYMOVE ? move(space, start, old_size, size, protection) : -ENOMEM;
}

int64_t call_mremap(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t old_size = ALIGN_UP(call->args[1], PAGE_SIZE), size = ALIGN_UP(call->args[2], PAGE_SIZE);
	int64_t result;

	if (call->args[3] & ~(uint64_t)MREMAP_FLAGS || !size || size > IKC_USER_END ||
	    space_range_check(call->args[0], old_size))
		return -EINVAL;
	space_enter(space);
	result = remap(space, call, old_size, size);
	space_leave(space);
	return result;
}

/* Pages are not given back before they are unmapped: what is not needed is made zero, as it would be later. */
static int discard(struct space *space, uint64_t start, uint64_t end)
{
	int err = 0;

	while (start < end && !err) {
		const struct area *area = space_area_at(space, start);
		uint64_t next = MIN(end, area->end);

		if (area->protection & PROTECTION_WRITE)
			err = clear_user(start, next - start);
		start = next;
	}
	return err;
}

int64_t call_madvise(struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t start = call->args[0], size = ALIGN_UP(call->args[1], PAGE_SIZE);
	int err = 0;

	if (start & (PAGE_SIZE - 1) || size < call->args[1])
		return -EINVAL;
	if (!size)
		return 0;
	if (space_range_check(start, size))
		return -ENOMEM;
	space_enter(space);
	if (!space_is_mapped(space, start, start + size))
		err = -ENOMEM;
	else if (call->args[2] == MADV_DONTNEED)
		err = discard(space, start, start + size);
	space_leave(space);
	return err;
}

/* Of calls for which it is enough that the range is the program's. */
static int64_t check_mapped(const struct call *call)
{
	struct space *space = &call->process->space;
	uint64_t start = ALIGN_DOWN(call->args[0], PAGE_SIZE);
	uint64_t end = ALIGN_UP(call->args[0] + call->args[1], PAGE_SIZE);
	bool mapped;

	if (call->args[1] > IKC_USER_END)
		return -ENOMEM; /* before it could lead around the end of all addresses */
	if (end < start)
		return -EINVAL;
	space_enter(space);
	mapped = end == start || (!space_range_check(start, end - start) && space_is_mapped(space, start, end));
	space_leave(space);
	return mapped ? 0 : -ENOMEM;
}

int64_t call_msync(struct call *call)
{
	return call->args[0] & (PAGE_SIZE - 1) || call->args[2] & ~7ul ? -EINVAL : check_mapped(call);
}

int64_t call_mincore(struct call *call)
{
	uint64_t pages = ALIGN_UP(call->args[1], PAGE_SIZE) >> PAGE_SHIFT;
	const uint8_t there = 1;
	int64_t err = call->args[0] & (PAGE_SIZE - 1) ? -EINVAL : check_mapped(call);

	for (uint64_t i = 0; i < pages && !err; i++)
		err = copy_to_user(call->args[2] + i, &there, 1);
	return err;
}

int64_t call_mlock(struct call *call)
{
	return check_mapped(call);
}

int64_t call_mlock2(struct call *call)
{
	return check_mapped(call);
}

int64_t call_munlock(struct call *call)
{
	return check_mapped(call);
}

int64_t call_mlockall(struct call *call)
{
	return call->args[0] && call->args[0] <= 7 ? 0 : -EINVAL;
}

int64_t call_munlockall(struct call *call)
{
	(void)call;
	return 0;
}
