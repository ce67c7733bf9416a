/* SPDX-License-Identifier: Apache-2.0 */
/* What a conversation goes over: messages to and from one port of a peer, or a channel. */
#ifndef WIRE_H
#define WIRE_H

#include "channel.h"
#include "endpoint.h"

struct wire {
	const struct device *device;
	uint32_t peer;
	uint16_t port;
	bool is_channel;
	struct channel channel;
	struct endpoint endpoint;
};

struct wire wire_open(const struct device *device, uint32_t peer, uint16_t port, int timeout_ms);
struct wire wire_open_channel(const struct device *device, uint32_t peer, uint16_t port, uint32_t magic,
			      int timeout_ms);

/* 0, EAGAIN: not within the time, EPIPE, ENETRESET, ENOTCONN or ECONNREFUSED. */
int wire_send(const struct wire *wire, const void *data, uint32_t length, int timeout_ms);
int wire_receive(const struct wire *wire, struct endpoint_message *message, int timeout_ms);

/* What an error of the two above means; valid until the next call. */
const char *wire_why(const struct wire *wire, int error);

#endif
