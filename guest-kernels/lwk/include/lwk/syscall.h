/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that are done here. */
#ifndef LWK_SYSCALL_H
#define LWK_SYSCALL_H

#include <arch/trap.h>
#include <ikc/ikc_process.h>
#include <lwk/process.h>
#include <lwk/thread.h>
#include <lwk/types.h>

/* One that a thread makes. */
struct call {
	struct thread *thread;
	struct process *process;
	struct trap_frame *frame;
	uint64_t number;
	uint64_t args[6];
	uint32_t flags; /* of the message: enum ikc_process_flag */
	uint32_t facts; /* that the proxy was told of for it */
};

/* What a local call returns to have the proxy do it after all. No errno is so large. */
#define CALL_OFFLOAD (-0x10000)
/* ... and to be made anew, once what interrupted it is done: a handler, too, comes back to that. */
#define CALL_ANEW (-0x10001)

/*
 * A handler is about to run, or nobody has taken the signal for which the call of this thread, if it comes from one, was
 * interrupted: is it to be made anew after that? `restarts`: if it is one that ever is (SA_RESTART).
 */
void syscall_was_interrupted(struct trap_frame *frame, bool restarts);

/* Before the process runs: who makes that call of its. -EINVAL: only one of the two can. */
int syscall_set_place(struct process *process, uint64_t number, bool offloaded);

/* Has the proxy do a call with these arguments. */
int64_t offload(struct call *call);

/* The proxy must not reach these pages any more; `flags` of the message. 0 or -ESRCH. */
int offload_zap(uint64_t start, uint64_t size, uint32_t flags);

#endif
