/* SPDX-License-Identifier: GPL-2.0-only */
/* The address space of a process on an LWK, as its proxy has it: the same pages at the same addresses. */
#ifndef SPACE_H
#define SPACE_H

#include "window_view.h"

/* IKC_IOCTL_SPACE on a window: a file for it. `view` is in use as long as that is open. */
long space_open(struct window_view *view, void __user *argument);

/* Spaces of lives of the partition that are over lose all their pages. */
void spaces_look(struct window_view *view);

#endif
