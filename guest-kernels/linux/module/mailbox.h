/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor asks of this partition. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "life.h"

/* Does what is asked, if anything is. In process context; does not return from PANIC and HANG. */
void mailbox_serve(struct life *life);

#endif
