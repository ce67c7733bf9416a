/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint of /dev/ikc, with deadlines. */
#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"
#include "words.h"

static struct endpoint endpoint_open(const struct device *device)
{
	struct endpoint endpoint = { .device = device };

	endpoint.fd = open(DEVICE_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (endpoint.fd < 0)
		die(EXIT_ENVIRONMENT, "%s: %s", DEVICE_PATH, strerror(errno));
	return endpoint;
}

const char *endpoint_why(const struct device *device, uint32_t peer, int error)
{
	static char why[160];
	const struct ikc_half *half = ikc_half_at(&device->map, device->info.own_id, peer);
	const struct ikc_partition *partition = device_partition(device, peer);
	char name[IKC_NAME_SIZE];

	device_name(device, peer, name);
	if (error == ENOTCONN)
		snprintf(why, sizeof(why), "the link to %s is in %s, not RUN (%s is %s)", name,
			 word_link_state(ikc_load(&half->state)), name, word_partition_state(partition));
	else if (error == ENETRESET)
		snprintf(why, sizeof(why), "the link to %s was reset: %s", name,
			 word_reset_reason(ikc_load(&half->reset_reason)));
	else if (error == ECONNREFUSED)
		snprintf(why, sizeof(why), "nobody listens on that port of %s", name);
	else if (error == EAGAIN)
		snprintf(why, sizeof(why), "%s takes nothing out of its ring, which is full", name);
	else if (error == ETIMEDOUT)
		snprintf(why, sizeof(why), "%s did not answer in time", name);
	else
		snprintf(why, sizeof(why), "%s: %s", name, strerror(error));
	return why;
}

struct endpoint endpoint_listen(const struct device *device, uint16_t port)
{
	struct endpoint endpoint = endpoint_open(device);
	struct ikc_address address = { .port = port };

	if (ioctl(endpoint.fd, IKC_IOCTL_BIND, &address))
		die(EXIT_FAILED, "port %u: %s", port,
		    errno == EADDRINUSE ? "another program listens there" : strerror(errno));
	return endpoint;
}

/* True if `events` came within the time. */
static bool endpoint_poll(const struct endpoint *endpoint, short events, int timeout_ms)
{
	struct pollfd entry = { .fd = endpoint->fd, .events = events };

	if (poll(&entry, 1, timeout_ms) < 0)
		die(EXIT_FAILED, "poll: %s", strerror(errno));
	if (entry.revents & POLLHUP)
		die(EXIT_ENVIRONMENT, "%s went away", DEVICE_PATH);
	return entry.revents != 0;
}

static struct endpoint endpoint_to(const struct device *device, uint32_t peer, uint16_t port)
{
	struct endpoint endpoint = endpoint_open(device);
	struct ikc_address address = { .partition = peer, .port = port };

	if (ioctl(endpoint.fd, IKC_IOCTL_CONNECT, &address))
		die(EXIT_FAILED, "connect: %s", endpoint_why(device, peer, errno));
	return endpoint;
}

bool endpoint_wait_for_link(const struct device *device, uint32_t peer, int timeout_ms)
{
	struct endpoint endpoint = endpoint_to(device, peer, IKC_PORT_ECHO);
	bool runs = endpoint_poll(&endpoint, POLLOUT, timeout_ms);

	close(endpoint.fd);
	return runs;
}

struct endpoint endpoint_connect(const struct device *device, uint32_t peer, uint16_t port, int timeout_ms)
{
	struct endpoint endpoint = endpoint_to(device, peer, port);

	if (!endpoint_poll(&endpoint, POLLOUT, timeout_ms))
		die(EXIT_FAILED, "not within %d ms: %s", timeout_ms, endpoint_why(device, peer, ENOTCONN));
	return endpoint;
}

int endpoint_try_send(const struct endpoint *endpoint, uint32_t peer, uint16_t port, const void *data,
		      uint32_t length, int timeout_ms)
{
	struct ikc_transfer transfer = {
		.address = { .partition = peer, .port = port },
		.length = length,
		.buffer = (uintptr_t)data,
	};

	while (ioctl(endpoint->fd, IKC_IOCTL_SEND, &transfer)) {
		if (errno != EAGAIN)
			return errno;
		if (!endpoint_poll(endpoint, POLLOUT, timeout_ms))
			return EAGAIN;
	}
	return 0;
}

void endpoint_send(const struct endpoint *endpoint, uint32_t peer, uint16_t port, const void *data,
		   uint32_t length, int timeout_ms)
{
	int error = endpoint_try_send(endpoint, peer, port, data, length, timeout_ms);

	if (error)
		die(EXIT_FAILED, "send to port %u: %s", port, endpoint_why(endpoint->device, peer, error));
}

int endpoint_receive(const struct endpoint *endpoint, struct endpoint_message *message, int timeout_ms)
{
	struct ikc_transfer transfer;
	int error;

	for (;;) {
		transfer = (struct ikc_transfer) {
			.length = sizeof(message->data),
			.buffer = (uintptr_t)message->data,
		};
		error = ioctl(endpoint->fd, IKC_IOCTL_RECEIVE, &transfer) ? errno : 0;
		message->partition = transfer.address.partition;
		message->port = transfer.address.port;
		message->length = transfer.length;
		if (error != EAGAIN || !endpoint_poll(endpoint, POLLIN, timeout_ms))
			break;
	}
	if (error && error != EAGAIN && error != ENETRESET && error != ECONNREFUSED)
		die(EXIT_FAILED, "receive: %s", strerror(error));
	return error;
}
