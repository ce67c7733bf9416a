/* SPDX-License-Identifier: Apache-2.0 */
/* A channel of /dev/ikc, with deadlines. */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "endpoint.h"
#include "error.h"
#include "ikc_channel.h"

static const char *channel_open_why(const struct device *device, const struct ikc_open *open, int error)
{
	static char why[160];
	char name[IKC_NAME_SIZE];

	device_name(device, open->address.partition, name);
	if (error == ECONNREFUSED)
		snprintf(why, sizeof(why), "%s refuses: %s", name, ikc_refusal_word(open->refusal));
	else if (error == EBUSY)
		snprintf(why, sizeof(why), "all %d channels that may be opened to %s are in use%s", IKC_CHANNELS / 2,
			 name, open->address.port == IKC_PORT_PROCESS ?
			 ", one by each program that runs there: wait until one ends" : "");
	else
		return endpoint_why(device, open->address.partition, error);
	return why;
}

static struct channel channel_of(const struct device *device, const struct ikc_open *open)
{
	if (fcntl(open->fd, F_SETFL, O_RDWR | O_NONBLOCK))
		die(EXIT_ENVIRONMENT, "a channel: %s", strerror(errno));
	return (struct channel) { device, open->address.partition, open->fd };
}

/* The link is up nearly always: nobody asks before it turns out not to be. */
static int channel_try_open(const struct device *device, uint32_t peer, struct ikc_open *open, int timeout_ms)
{
	if (!ioctl(device->fd, IKC_IOCTL_OPEN, open))
		return 0;
	if (errno != ENOTCONN)
		return errno;
	if (!endpoint_wait_for_link(device, peer, timeout_ms))
		die(EXIT_FAILED, "not within %d ms: %s", timeout_ms, endpoint_why(device, peer, ENOTCONN));
	return ioctl(device->fd, IKC_IOCTL_OPEN, open) ? errno : 0;
}

struct channel channel_open(const struct device *device, uint32_t peer, uint16_t port, uint32_t magic,
			    uint32_t packet_size, int timeout_ms)
{
	struct ikc_open open = {
		.address = { .partition = peer, .port = port },
		.magic = magic,
		.packet_size = packet_size,
		.timeout_ms = timeout_ms,
	};
	int error;

	error = channel_try_open(device, peer, &open, timeout_ms);
	if (error)
		die(EXIT_FAILED, "a channel to port %u: %s", port, channel_open_why(device, &open, error));
	return channel_of(device, &open);
}

int channel_listen(uint16_t port, uint32_t magic, uint32_t packet_size)
{
	struct ikc_listen listen = { .port = port, .magic = magic, .packet_size = packet_size };
	int fd = open(DEVICE_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die(EXIT_ENVIRONMENT, "%s: %s", DEVICE_PATH, strerror(errno));
	if (ioctl(fd, IKC_IOCTL_LISTEN, &listen))
		die(EXIT_FAILED, "channels to port %u: %s", port,
		    errno == EADDRINUSE ? "another program listens for them" : strerror(errno));
	return fd;
}

bool channel_accept(const struct device *device, int listener, struct channel *channel)
{
	struct ikc_open open = { 0 };

	if (!ioctl(listener, IKC_IOCTL_ACCEPT, &open)) {
		*channel = channel_of(device, &open);
		return true;
	}
	if (errno != EAGAIN)
		die(errno == ENODEV ? EXIT_ENVIRONMENT : EXIT_FAILED, "accept: %s", strerror(errno));
	return false;
}

/* True if `events` came within the time. */
static bool channel_poll(const struct channel *channel, short events, int timeout_ms)
{
	struct pollfd entry = { .fd = channel->fd, .events = events };

	if (poll(&entry, 1, timeout_ms) < 0)
		die(EXIT_FAILED, "poll: %s", strerror(errno));
	return entry.revents != 0;
}

int channel_send(const struct channel *channel, const void *data, uint32_t length, int timeout_ms)
{
	while (write(channel->fd, data, length) < 0)
		if (errno != EAGAIN)
			return errno;
		else if (!channel_poll(channel, POLLOUT, timeout_ms))
			return EAGAIN;
	return 0;
}

int channel_receive(const struct channel *channel, void *data, uint32_t room, uint32_t *length, int timeout_ms)
{
	ssize_t result;

	while ((result = read(channel->fd, data, room)) < 0)
		if (errno != EAGAIN)
			return errno;
		else if (!channel_poll(channel, POLLIN, timeout_ms))
			return EAGAIN;
	*length = result;
	return 0;
}

const char *channel_why(const struct channel *channel, int error)
{
	static char why[160];
	char name[IKC_NAME_SIZE];

	if (error != EPIPE)
		return endpoint_why(channel->device, channel->peer, error);
	device_name(channel->device, channel->peer, name);
	snprintf(why, sizeof(why), "%s has closed the channel", name);
	return why;
}
