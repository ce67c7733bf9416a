/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of channels (ikc_uapi.h). */
#ifndef CHANNEL_FILE_H
#define CHANNEL_FILE_H

#include "fabric.h"
#include "ikc_uapi.h"

/* Hands a channel to the program: open->fd, and all else that is told of it. The channel is the file's, also if this fails. */
long channel_file_install(struct fabric *fabric, struct channel *channel, struct ikc_open *open,
			  void __user *argument);

#endif
