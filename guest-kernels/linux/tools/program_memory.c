/* SPDX-License-Identifier: Apache-2.0 */
/* The program's memory, by addresses that it names. */
#define _GNU_SOURCE
#include "program_memory.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ikc_process.h"

#define PAGE 4096u
#define PIECE 256u /* most paths are no longer */

/* What is the proxy's own is not to be reached by this. */
static bool is_the_programs(uint64_t address, size_t size)
{
	return address < IKC_USER_END && size <= IKC_USER_END - address;
}

bool program_memory_has(uint64_t address)
{
	return is_the_programs(address, 0);
}

bool program_memory_read(uint64_t address, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)address, size };

	return is_the_programs(address, size) &&
	       process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool program_memory_write(uint64_t address, const void *from, size_t size)
{
	struct iovec here = { (void *)from, size }, there = { (void *)address, size };

	return is_the_programs(address, size) &&
	       process_vm_writev(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* In pieces that cross no page: behind the text there may be nothing. */
bool program_memory_text(uint64_t address, char text[PATH_MAX])
{
	size_t length = 0;

	while (length < PATH_MAX) {
		size_t piece = PAGE - (address + length) % PAGE;

		piece = piece < PIECE ? piece : PIECE;
		piece = piece < PATH_MAX - length ? piece : PATH_MAX - length;
		if (!program_memory_read(address + length, text + length, piece))
			return false;
		if (memchr(text + length, '\0', piece))
			return true;
		length += piece;
	}
	return false;
}
