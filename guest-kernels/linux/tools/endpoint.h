/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint of /dev/ikc, with deadlines. Every failure ends the program with words. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "device.h"

#define ENDPOINT_NO_TIMEOUT (-1)

struct endpoint {
	const struct device *device;
	int fd;
};

struct endpoint_message {
	uint32_t partition;
	uint16_t port;
	uint32_t length;
	uint8_t data[IKC_MESSAGE_MAX];
};

/* Opens one that listens on `port`. */
struct endpoint endpoint_listen(const struct device *device, uint16_t port);

/* Waits until the link is in RUN. Returns false if it is not within the time. */
bool endpoint_wait_for_link(const struct device *device, uint32_t peer, int timeout_ms);

/* Opens one that speaks with that address, and waits until its link is in RUN. */
struct endpoint endpoint_connect(const struct device *device, uint32_t peer, uint16_t port, int timeout_ms);

/* Sends; waits for room at most that long. */
void endpoint_send(const struct endpoint *endpoint, uint32_t peer, uint16_t port, const void *data,
		   uint32_t length, int timeout_ms);

/*
 * As endpoint_send, but returns 0 or what went wrong of EAGAIN (no room in time), ENOTCONN, ENETRESET
 * and ECONNREFUSED.
 */
int endpoint_try_send(const struct endpoint *endpoint, uint32_t peer, uint16_t port, const void *data,
		      uint32_t length, int timeout_ms);

/* Receives one message. Returns 0, or EAGAIN (none in time), ENETRESET (message->partition) or ECONNREFUSED. */
int endpoint_receive(const struct endpoint *endpoint, struct endpoint_message *message, int timeout_ms);

/* What an error of the two above means, of the link to `peer`; valid until the next call. */
const char *endpoint_why(const struct device *device, uint32_t peer, int error);

#endif
