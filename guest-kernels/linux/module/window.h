/* SPDX-License-Identifier: GPL-2.0-only */
/* Windows: the RAM of other partitions, seen in place. */
#ifndef WINDOW_H
#define WINDOW_H

#include <linux/pci.h>

#include "region.h"

int window_probe(struct pci_dev *pdev);
void window_remove(struct pci_dev *pdev);

/* The region tells whose windows they are: from now on there is /dev/ikc-window-<partition> for each. */
void windows_publish(const struct region *region);

/* Partitions may have ended, or begun anew: what processes of theirs had is no more. */
void windows_look(void);

/* Takes them away, and returns when the last user has closed them. */
void windows_unpublish(void);

#endif
