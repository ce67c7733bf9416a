/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The locks that a thread has when it ends. The C library keeps them in a list in the program's memory, which may hold
 * anything: every word of it is copied once, and so many are looked at and no more.
 */
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/process.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

#define LIST_MAX 2048

#define IS_HANDED_ON 1 /* in the address of an entry: the lock is one of futex_lock() */

struct list_head {
	uint64_t first;
	int64_t offset; /* from an entry to its int */
	uint64_t pending; /* on its way into the list, or out of it; 0: none */
};

_Static_assert(sizeof(struct list_head) == ROBUST_LIST_SIZE, "as set_robust_list(2) has it");

/* One that has waiters and is handed on is for futex_owner_ended(). */
static void give_up(struct thread *thread, uint64_t address, bool handed_on, bool pending)
{
	uint32_t value;

	do {
		if (address % sizeof(value) || copy_from_user(&value, address, sizeof(value)))
			return;
		if (pending && !handed_on && !value) /* it was given back, and nobody woken yet */
			break;
		if ((value & FUTEX_OWNER) != thread->id || (handed_on && value & FUTEX_HAS_WAITERS))
			return;
	} while (compare_and_swap_user(address, value, (value & FUTEX_HAS_WAITERS) | FUTEX_OWNER_DIED) == -EAGAIN);
	if (!handed_on && (!value || value & FUTEX_HAS_WAITERS))
		futex_wake(thread->process, address, 1, FUTEX_ANY);
}

void futex_give_up_list(struct thread *thread)
{
	uint64_t start = thread->robust_list, entry;
	struct list_head head;

	if (!start || process_is_ending(thread->process) || copy_from_user(&head, start, sizeof(head)))
		return;
	entry = head.first;
	for (int i = 0; i < LIST_MAX && (entry & ~1ul) != start; i++) {
		uint64_t next, at = entry & ~1ul;
		int err = copy_from_user(&next, at, sizeof(next)); /* whoever gets the lock may change it */

		if (at != (head.pending & ~1ul))
			give_up(thread, at + head.offset, entry & IS_HANDED_ON, false);
		if (err)
			break;
		entry = next;
	}
	if (head.pending)
		give_up(thread, (head.pending & ~1ul) + head.offset, head.pending & IS_HANDED_ON, true);
}
