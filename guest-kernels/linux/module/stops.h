/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells the peer of a channel when a process here is stopped and when it goes on: SIGSTOP leaves it no time to say so
 * itself.
 */
#ifndef STOPS_H
#define STOPS_H

#include <linux/types.h>

struct channel;
struct stops;

/* Of the process that calls. Looks from now on. ERR_PTR: EFAULT, EINVAL, ENOMEM. */
struct stops *stops_new(struct channel *channel, const void __user *argument);

/* Looks no more. NULL: there was nothing to look at. */
void stops_free(struct stops *stops);

#endif
