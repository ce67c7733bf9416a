/* SPDX-License-Identifier: Apache-2.0 */
/* The files of /sys/devices/system/cpu and node that are a list of all CPUs or nodes of some kind: what most programs look at. */
#ifndef VIEW_SETS_H
#define VIEW_SETS_H

#include "facts.h"

#define VIEW_SETS_FACTS (1ull << IKC_FACT_CPU | 1ull << IKC_FACT_NODE)

/* "cpu/online" and the like, counted from 0; NULL: there are no more. */
const char *view_sets_name(unsigned int at);

/* Its text, to be freed; NULL: there is no memory, or no such file. */
char *view_sets_text(const struct facts *facts, const char *name, size_t *length);

#endif
