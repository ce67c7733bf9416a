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

bool ids_are_changed_by(uint64_t number);

/* After such a call. */
void ids_forget(struct process *process);

#endif
