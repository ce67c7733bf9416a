/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is to Linux: asked for once, and again after a call that may have changed it. */
#ifndef LWK_IDS_H
#define LWK_IDS_H

#include <lwk/types.h>

enum id { ID_USER, ID_EFFECTIVE_USER, ID_GROUP, ID_EFFECTIVE_GROUP, IDS };

struct process;

/* Numbers of the system calls that ids_note() is about lie between these two. */
enum { IDS_FIRST_CALL = 102, IDS_LAST_CALL = 119 };

/* Under the process's lock. */
struct ids {
	uint32_t changes; /* counted */
	uint32_t known; /* a bit for each */
	uint32_t values[IDS];
};

/* Of a call that the proxy is about to make, for ids_note(). */
static inline uint32_t ids_changes(const struct ids *ids)
{
	return __atomic_load_n(&ids->changes, __ATOMIC_ACQUIRE);
}

static inline bool ids_are_about(uint64_t number)
{
	return number >= IDS_FIRST_CALL && number <= IDS_LAST_CALL;
}

/* Of a call that ids_are_about(): what the proxy has answered tells an id, or means that all may have changed, or neither. */
void ids_note(struct process *process, uint64_t number, int64_t result, uint32_t changes);

#endif
