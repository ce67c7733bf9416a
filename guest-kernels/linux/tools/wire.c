/* SPDX-License-Identifier: Apache-2.0 */
/* What a conversation goes over. */
#include "wire.h"

struct wire wire_open(const struct device *device, uint32_t peer, uint16_t port, int timeout_ms)
{
	return (struct wire) {
		.device = device,
		.peer = peer,
		.port = port,
		.endpoint = endpoint_connect(device, peer, port, timeout_ms),
	};
}

struct wire wire_open_channel(const struct device *device, uint32_t peer, uint16_t port, uint32_t magic,
			      int timeout_ms)
{
	return (struct wire) {
		.device = device,
		.peer = peer,
		.port = port,
		.is_channel = true,
		.channel = channel_open(device, peer, port, magic, IKC_MESSAGE_MAX, timeout_ms),
	};
}

int wire_send(const struct wire *wire, const void *data, uint32_t length, int timeout_ms)
{
	if (wire->is_channel)
		return channel_send(&wire->channel, data, length, timeout_ms);
	return endpoint_try_send(&wire->endpoint, wire->peer, wire->port, data, length, timeout_ms);
}

int wire_receive(const struct wire *wire, struct endpoint_message *message, int timeout_ms)
{
	if (!wire->is_channel)
		return endpoint_receive(&wire->endpoint, message, timeout_ms);
	message->partition = wire->peer;
	message->port = wire->port;
	return channel_receive(&wire->channel, message->data, sizeof(message->data), &message->length,
			       timeout_ms);
}

const char *wire_why(const struct wire *wire, int error)
{
	return wire->is_channel ? channel_why(&wire->channel, error) :
				  endpoint_why(wire->device, wire->peer, error);
}
