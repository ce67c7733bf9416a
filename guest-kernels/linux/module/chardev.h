/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/ikc (ikc_uapi.h). */
#ifndef CHARDEV_H
#define CHARDEV_H

struct fabric;

int chardev_register(struct fabric *fabric);

/* Wakes all who use it with ENODEV, and returns when the last of them has closed it. */
void chardev_deregister(struct fabric *fabric);

#endif
