/* SPDX-License-Identifier: Apache-2.0 */
/* A system call as it is: not syscall(2), which would keep errno, another world's. */
#ifndef RAW_CALL_H
#define RAW_CALL_H

#include <stdint.h>

static inline long raw_call(uint64_t number, const uint64_t *words)
{
	register uint64_t fourth asm("r10") = words[3];
	register uint64_t fifth asm("r8") = words[4];
	register uint64_t sixth asm("r9") = words[5];
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(fourth), "r"(fifth),
		       "r"(sixth)
		     : "rcx", "r11", "memory");
	return result;
}

#endif
