/* SPDX-License-Identifier: Apache-2.0 */
/* Finds its read-only memory as its file has it, and then writes there. Ends with a status of its own; 99: it was changed. */
#include <stdint.h>
#include <sys/mman.h>

#ifndef STATUS
#define STATUS 7
#endif

static const int status __attribute__((aligned(4096))) = STATUS;

int main(void)
{
	volatile int *own = (volatile int *)(uintptr_t)&status;
	int found;

	asm("" : "+r"(own)); /* the compiler is not to know what is there */
	found = *own;
	if (mprotect((void *)own, 4096, PROT_READ | PROT_WRITE))
		return 98;
	*own = 99;
	if (mprotect((void *)own, 4096, PROT_READ))
		return 97;
	return found;
}
