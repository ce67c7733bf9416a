/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The echo service. A reply that finds no room makes the link hold the request: the requester's
 * ring fills up, and nobody else is delayed. Two kernels that both flood each other's echo port,
 * with no bound on what they have under way, can so block the data ring between them; a requester
 * has to bound that. The same holds of one channel.
 */
#include <lwk/ikc.h>
#include <lwk/ikc_channel.h>
#include <lwk/ikc_echo.h>

static int echo(uint32_t peer, const struct ikc_message *message, const void *payload)
{
	/* services do not talk to each other: two echoes would never stop */
	if (message->from_port < IKC_PORT_FIRST_USER)
		return 0;
	return ikc_send_message(peer, IKC_PORT_ECHO, message->from_port, payload, message->length);
}

static int echo_on_channel(struct channel *channel, const struct channel_message *message)
{
	if (message->lent)
		return channel_send_lent(channel, message->payload, message->length);
	return channel_send(channel, message->payload, message->length);
}

static const struct channel_calls calls = { .message = echo_on_channel };

static struct ikc_listener listener = { .port = IKC_PORT_ECHO, .receive = echo };

static struct channel_listener channels = {
	.port = IKC_PORT_ECHO,
	.magic = IKC_ECHO_MAGIC,
	.packet_size = IKC_MESSAGE_MAX,
	.calls = &calls,
};

void ikc_echo_init(void)
{
	ikc_listen(&listener);
	channel_listen(&channels);
}
