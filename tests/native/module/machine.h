/* SPDX-License-Identifier: Apache-2.0 */
/* A few kernels with the driver in each, over one region, and the monitor's part; all in this process. */
#ifndef MACHINE_H
#define MACHINE_H

#include "fabric.h"
#include "guarded.h"

#define ENDS_MAX GUARDED_VIEWS

/* One kernel. */
struct end {
	u32 index;
	bool cut; /* killed: it goes on in a world of its own, until end_stop */
	struct pci_dev pdev;
};

struct machine {
	struct guarded memory;
	u32 count;
	struct end ends[ENDS_MAX];
};

extern struct machine machine;

/* Kernels 0 to count - 1 begin their first life, each with its driver loaded and its links in RUN. */
void machine_start(u32 count);

/* Unloads the drivers that are still loaded; nothing of any is left. */
void machine_stop(void);

struct fabric *end_fabric(struct end *end);
struct link *end_link(struct end *end, u32 peer);

/* Loads the driver: a negative error if it does not come up. */
int end_start(struct end *end);

/* Unloads it, when its programs have closed their files: all that it has had is free again. */
void end_stop(struct end *end);

/* No instruction of that kernel has effects any more, and the monitor tells. */
void end_kill(struct end *end);

/* After end_stop of one that was killed: its next life; the driver is not loaded yet. */
void end_boot(struct end *end);

/* As the link does when it has no memory for a message. */
void end_reset_link(struct end *end, u32 peer);

/* Waits until the link is in RUN. */
void end_await_link(struct end *end, u32 peer);
void machine_await_links(void);

#endif
