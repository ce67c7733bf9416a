/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys/devices/system/cpu and node as the LWK has them: files and folders in a file system of this process alone, which is
 * mounted nowhere and is gone when the process is, by whatever it ends.
 */
#ifndef VIEW_TREE_H
#define VIEW_TREE_H

#include <stdbool.h>

#include "facts.h"

/* What it is made of. */
#define VIEW_TREE_FACTS (1ull << IKC_FACT_CPU | 1ull << IKC_FACT_NODE | 1ull << IKC_FACT_DISTANCE)

/* Makes it, as the file `fd`, with folders "cpu" and "node". 0 or -errno. */
int view_tree_make(const struct facts *facts, int fd);

#endif
