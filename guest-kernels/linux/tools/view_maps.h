/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps of a process on an LWK: the LWK tells the areas, and the proxy knows what files are in them. */
#ifndef VIEW_MAPS_H
#define VIEW_MAPS_H

#include "facts.h"

#define VIEW_MAPS_FACTS (1ull << IKC_FACT_PROCESS | 1ull << IKC_FACT_AREA)

/* To be freed; NULL: no memory, or no such facts. */
char *view_maps(const struct facts *facts, size_t *length);

#endif
