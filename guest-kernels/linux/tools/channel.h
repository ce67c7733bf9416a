/* SPDX-License-Identifier: Apache-2.0 */
/* A channel of /dev/ikc, with deadlines. */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "device.h"

struct channel {
	const struct device *device;
	uint32_t peer;
	int fd;
};

/* Waits until the link is in RUN, and opens one. Ends the program with words if it is refused or not answered. */
struct channel channel_open(const struct device *device, uint32_t peer, uint16_t port, uint32_t magic,
			    uint32_t packet_size, int timeout_ms);

/* A file that listens for channels to `port`; ends the program if another does. */
int channel_listen(uint16_t port, uint32_t magic, uint32_t packet_size);

/* The next channel of such a file; it is there when poll says so. Returns false if it has gone again. */
bool channel_accept(const struct device *device, int listener, struct channel *channel);

/* 0; EAGAIN: no room within the time; EPIPE: the peer has closed it; ENETRESET. */
int channel_send(const struct channel *channel, const void *data, uint32_t length, int timeout_ms);

/* As channel_send, for one message of at most `room` bytes. */
int channel_receive(const struct channel *channel, void *data, uint32_t room, uint32_t *length, int timeout_ms);

/* What an error of the two above means; valid until the next call. */
const char *channel_why(const struct channel *channel, int error);

#endif
