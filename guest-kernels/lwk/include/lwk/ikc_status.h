/* SPDX-License-Identifier: Apache-2.0 */
/* What this partition says of itself in its status block, its log and its report. */
#ifndef LWK_IKC_STATUS_H
#define LWK_IKC_STATUS_H

#include <ikc/ikc_layout.h>
#include <lwk/types.h>

/*
 * Begins this life's page, in state BOOTING; log and panics go to the region from now on.
 * `answered` is the sequence of the last command that is not this life's business.
 */
void ikc_status_init(uint32_t answered);

/* Also rings the monitor. */
void ikc_status_set(enum ikc_partition_state state);

/* Says that a command of the monitor was taken, and rings it. */
void ikc_status_answer(uint32_t sequence, enum ikc_mailbox_result result);

/* Tells memory, processes and threads as they are now. From any context; READY and each answer do it too. */
void ikc_status_use(void);

/* Counts a system call whose thread waited so long for its proxy. */
void ikc_status_offloaded(uint64_t waited_ns);

/* CPUs, time and the state READY. */
void ikc_status_ready(void);

/* Attaches the region's log ring to the kernel log. */
void ikc_log_init(void);

/* Publishes CPUs, memory and distances. */
void ikc_report_init(void);

#endif
