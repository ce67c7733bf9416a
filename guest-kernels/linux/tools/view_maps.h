/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps of a process on an LWK. The LWK tells the areas; which of them are of the program and its interpreter the
 * proxy knows, which has put them there.
 */
#ifndef VIEW_MAPS_H
#define VIEW_MAPS_H

#include "facts.h"
#include "program.h"

#define VIEW_MAPS_FACTS (1ull << IKC_FACT_PROCESS | 1ull << IKC_FACT_AREA)

/* To be freed; NULL: no memory. */
char *view_maps(const struct facts *facts, const struct program *program, size_t *length);

#endif
