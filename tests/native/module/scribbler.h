/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel in the place of end 1 that writes anything at any time into all that it may write, or, gone astray, into
 * all that it can. Much of it is what a peer might write, so that it gets past the checks.
 */
#ifndef SCRIBBLER_H
#define SCRIBBLER_H

#include "machine.h"

struct scribbler {
	bool everywhere; /* also into what end 0 writes */
	u16 port, channel_port;
	u32 magic, packet_size;
	u32 steps;
	u64 random;

	struct task_struct task;
	u32 generation;
	u64 reasons; /* a bit for each enum ikc_reset_reason that end 0 gave */
};

void scribbler_start(struct scribbler *scribbler);

/* Waits until all its steps are done. */
void scribbler_join(struct scribbler *scribbler);

#endif
