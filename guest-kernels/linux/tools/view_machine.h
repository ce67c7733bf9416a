/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs and memory of an LWK as text, as Linux writes it in /proc. Each is to be freed; NULL: no memory, or no host's file. */
#ifndef VIEW_MACHINE_H
#define VIEW_MACHINE_H

#include "facts.h"

/* What they are made of. */
#define VIEW_CPUINFO_FACTS (1ull << IKC_FACT_CPU)
#define VIEW_MEMINFO_FACTS (1ull << IKC_FACT_NODE)
#define VIEW_TIMES_FACTS (1ull << IKC_FACT_CPU | 1ull << IKC_FACT_TIME)

/* The model is that of the host's CPUs: all partitions of a node have the same. */
char *view_cpuinfo(const struct facts *facts, size_t *length);
char *view_meminfo(const struct facts *facts, size_t *length);
char *view_node_meminfo(const struct facts *facts, uint64_t node, size_t *length);

/* /proc/stat: the LWK's CPUs, and the host's other lines. */
char *view_times(const struct facts *facts, size_t *length);

#endif
