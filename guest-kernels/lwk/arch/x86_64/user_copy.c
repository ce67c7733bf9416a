/* SPDX-License-Identifier: Apache-2.0 */
/* To and from the memory of the program that runs here; eight bytes a step, as memory.c has it. */
#include <arch/trap.h>
#include <arch/user_mode.h>
#include <ikc/ikc_process.h>
#include <lwk/errno.h>
#include <lwk/user_copy.h>

bool user_range_is_valid(uint64_t address, uint64_t size)
{
	return address >= IKC_USER_START && address <= IKC_USER_END && size <= IKC_USER_END - address;
}

static inline void access_begin(void)
{
	if (user_access_is_guarded)
		asm volatile("stac" : : : "memory");
}

static inline void access_end(void)
{
	if (user_access_is_guarded)
		asm volatile("clac" : : : "memory");
}

/* One side is a program's, and has been checked to be no address of the kernel. */
static int copy(void *to, const void *from, size_t size)
{
	uint64_t trapped = 0, words = size / 8;

	access_begin();
	asm volatile("1: rep movsq\n"
		     "mov %4, %%rcx\n"
		     "2: rep movsb\n"
		     "3:\n" FIXUP("1b", "3b") FIXUP("2b", "3b")
		     : "+a"(trapped), "+D"(to), "+S"(from), "+c"(words)
		     : "r"(size % 8)
		     : "memory");
	access_end();
	return trapped ? -EFAULT : 0;
}

int copy_from_user(void *to, uint64_t from, size_t size)
{
	return user_range_is_valid(from, size) ? copy(to, (const void *)from, size) : -EFAULT;
}

int copy_to_user(uint64_t to, const void *from, size_t size)
{
	return user_range_is_valid(to, size) ? copy((void *)to, from, size) : -EFAULT;
}

int clear_user(uint64_t to, size_t size)
{
	uint64_t trapped = 0, zero = 0, words = size / 8;

	if (!user_range_is_valid(to, size))
		return -EFAULT;
	access_begin();
	/* %rax is the zero that is stored, until it tells of a trap */
	asm volatile("1: rep stosq\n"
		     "mov %3, %%rcx\n"
		     "2: rep stosb\n"
		     "3:\n" FIXUP("1b", "3b") FIXUP("2b", "3b")
		     : "+a"(zero), "+D"(to), "+c"(words)
		     : "r"(size % 8)
		     : "memory");
	access_end();
	trapped = zero;
	return trapped ? -EFAULT : 0;
}

int compare_and_swap_user(uint64_t at, uint32_t expected, uint32_t value)
{
	uint64_t found = expected;

	if (!user_range_is_valid(at, sizeof(value)))
		return -EFAULT;
	if (at % sizeof(value))
		return -EINVAL;
	access_begin();
	/* %rax: what was there, or with a bit above that tells of a trap */
	asm volatile("1: lock cmpxchgl %2, (%1)\n"
		     "jmp 3f\n"
		     "2: btsq $63, %0\n"
		     "3:\n" FIXUP("1b", "2b")
		     : "+a"(found)
		     : "r"(at), "r"(value)
		     : "memory", "cc");
	access_end();
	if (found >> 63)
		return -EFAULT;
	return (uint32_t)found == expected ? 0 : -EAGAIN;
}
