/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block moves by the CPU's string instructions: eight bytes a step, which TCG too does at a good
 * rate; what is short in larger steps, for it makes a loop of each of those.
 */
#include <lwk/string.h>

#define SHORT 128
#define STEP 32

HOT void *memcpy(void *to, const void *from, size_t size)
{
	void *t = to;
	size_t words, rest;

	if (size <= SHORT)
		for (; size >= STEP; size -= STEP, t += STEP, from += STEP)
			__builtin_memcpy(t, from, STEP);
	words = size / 8;
	rest = size % 8;
	asm volatile("rep movsq" : "+D"(t), "+S"(from), "+c"(words) : : "memory");
	asm volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(rest) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *t = to;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101ul;
	size_t words = size / 8, rest = size % 8;

	asm volatile("rep stosq" : "+D"(t), "+c"(words) : "a"(pattern) : "memory");
	asm volatile("rep stosb" : "+D"(t), "+c"(rest) : "a"(pattern) : "memory");
	return to;
}
