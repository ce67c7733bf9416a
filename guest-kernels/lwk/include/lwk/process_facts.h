/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel tells a proxy for the views that programs have of it (/proc and /sys), and whoever asks for a list of
 * processes.
 */
#ifndef LWK_PROCESS_FACTS_H
#define LWK_PROCESS_FACTS_H

#include <lwk/types.h>

/* To the proxy of this thread's process, a set of enum ikc_process_fact, in the order of their numbers. Returns how many. */
uint32_t process_tell_facts(uint64_t set);

/* Answers lists of processes on IKC_PORT_PROCESS. */
void process_list_init(void);

#endif
