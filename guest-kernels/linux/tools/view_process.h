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

char *view_statm(const struct facts *facts, const struct program *program, size_t *length);

/* What is not told here is as the host has it of the proxy: ids, parents, rights. */
char *view_stat(const struct facts *facts, const struct program *program, size_t *length);
char *view_status(const struct facts *facts, const struct program *program, size_t *length);

/* What is in its memory there; empty if it has unmapped that. */
char *view_text_of(const struct program_range *range, size_t *length);
char *view_auxv(const struct program *program, size_t *length);

#endif
