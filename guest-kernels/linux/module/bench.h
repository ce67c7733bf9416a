/* SPDX-License-Identifier: GPL-2.0-only */
/* Measurements over a channel, in the kernel (ikc_bench.h). */
#ifndef BENCH_H
#define BENCH_H

#include "channel.h"
#include "ikc_uapi.h"

/* IKC_IOCTL_MEASURE, but for the copying. `buffer` has IKC_MESSAGE_MAX bytes; nobody else reads the channel. */
int bench_measure(struct channel *channel, struct ikc_measure *measure, u8 *buffer);

#endif
