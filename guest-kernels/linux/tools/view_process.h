/* SPDX-License-Identifier: Apache-2.0 */
/* A process on an LWK as text, as Linux writes it in /proc/PID. Each is to be freed; NULL: no memory, or no host's file. */
#ifndef VIEW_PROCESS_H
#define VIEW_PROCESS_H

#include "facts.h"
#include "program.h"

/* What they are made of. */
#define VIEW_STATM_FACTS (1ull << IKC_FACT_PROCESS | 1ull << IKC_FACT_AREA)
#define VIEW_STAT_FACTS (VIEW_STATM_FACTS | 1ull << IKC_FACT_THREAD)
#define VIEW_STATUS_FACTS                                                                                     \
	(VIEW_STAT_FACTS | 1ull << IKC_FACT_ALLOWED | 1ull << IKC_FACT_CPU | 1ull << IKC_FACT_NODE)

/* The words of the facts. */
enum { PROCESS_THREADS, PROCESS_NS, PROCESS_PAGES, PROCESS_HEAP, PROCESS_HEAP_END, PROCESS_PENDING, PROCESS_IGNORED,
       PROCESS_CAUGHT };
enum { THREAD_ID, THREAD_CPU, THREAD_STATE, THREAD_NS, THREAD_OFFLOADS, THREAD_PENDING, THREAD_BLOCKED };

const uint64_t *view_process(const struct facts *facts);

/* The one of that id, or another, if that has ended. */
const uint64_t *view_thread(const struct facts *facts, uint64_t id);

/* Of all areas that may be used in one of these ways; 0: of all. */
uint64_t view_bytes(const struct facts *facts, uint64_t protection);

/* Of whom something is to be told. */
struct view_subject {
	const struct facts *facts;
	const struct program *program;
	const uint64_t *thread;
	bool is_process; /* all of it, by its first thread; or that thread alone */
};

char *view_statm(const struct facts *facts, size_t *length);

/* What is not told here is as the host has it of the proxy: ids, parents, rights. */
char *view_stat(const struct view_subject *subject, size_t *length);
char *view_status(const struct view_subject *subject, size_t *length);

/* What is in its memory there; empty if it has unmapped that. */
char *view_text_of(const struct program_range *range, size_t *length);
char *view_auxv(const struct program *program, size_t *length);

#endif
