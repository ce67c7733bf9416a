/* SPDX-License-Identifier: GPL-2.0-only */
/* OPEN and ACCEPT of /dev/ikc (ikc_uapi.h). */
#ifndef CHANNEL_OPEN_H
#define CHANNEL_OPEN_H

#include "fabric.h"

/* IKC_IOCTL_OPEN and IKC_IOCTL_ACCEPT. */
long channel_open(struct fabric *fabric, u16 own_port, void __user *argument);
long channel_accept(struct fabric *fabric, struct listener *listener, void __user *argument, bool wait);

#endif
