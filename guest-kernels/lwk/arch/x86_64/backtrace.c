/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of callers, by frame pointers. */
#include <arch/backtrace.h>
#include <arch/trap.h>

extern const char trap_return[]; /* trap_entry.S: where trap_dispatch() returns to */

unsigned int backtrace(uint64_t frame_pointer, uint64_t *addresses, unsigned int limit)
{
	bool exact = false;
	unsigned int count = 0;

	while (count < limit && frame_pointer) {
		uint64_t next, address;

		if (frame_pointer % 8 || probe_read64(frame_pointer, &next) ||
		    probe_read64(frame_pointer + 8, &address) || !address)
			break;
		/*
		 * a return address is behind the call, and that may have been a function's last
		 * instruction
		 */
		addresses[count++] = exact ? address : address - 1;
		exact = address == (uint64_t)trap_return;
		frame_pointer = next;
	}
	return count;
}
