/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is to Linux: asked for once, and again after a call that may have changed it. */
#ifndef LWK_IDS_H
#define LWK_IDS_H

#include <lwk/types.h>

enum id { ID_USER, ID_EFFECTIVE_USER, ID_GROUP, ID_EFFECTIVE_GROUP, IDS };

struct process;

/* Under the process's lock. */
struct ids {
	uint32_t changes; /* counted */
	uint32_t known; /* a bit for each */
	uint32_t values[IDS];
};

/* Of a call that the proxy is about to make, for ids_note(). */
uint32_t ids_changes(struct process *process);

/* What the proxy has answered to it tells an id, or means that all may have changed; mostly neither. */
void ids_note(struct process *process, uint64_t number, int64_t result, uint32_t changes);

#endif
