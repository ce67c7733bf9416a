/* SPDX-License-Identifier: Apache-2.0 */
/* IKC_PORT_STREAM: checked message streams, for tests of a link. */
#ifndef LWK_IKC_STREAM_H
#define LWK_IKC_STREAM_H

#include <ikc/ikc_stream.h>
#include <lwk/types.h>

/* The service; before the links start. */
void ikc_stream_init(void);

/*
 * Asks the peer's service to check a stream, and sends it. The report comes to `own_port`, on which
 * the caller listens. CPU 0's work.
 */
void ikc_stream_send(uint32_t peer, uint16_t own_port, uint32_t seed, uint32_t count);

/* A stream over a channel; of whoever embeds it, until done() is called. */
struct ikc_stream_order {
	uint32_t seed;
	uint32_t count;

	/* In the work of the CPU that serves the channel. No report: `why` says what happened. */
	void (*done)(struct ikc_stream_order *order, const struct ikc_stream_report *report,
		     const char *why);
};

/*
 * Opens a channel to the peer's service, streams through it, and closes it. Any context but NMI. If it
 * returns an error of channel_open(), done() is not called.
 */
int ikc_stream_open(uint32_t peer, struct ikc_stream_order *order);

/* The service on channels; before the links start. */
void ikc_stream_channel_init(void);

/*
 * Obeys a RELAY: streams to request->partition over a channel, and sends the report of that to the
 * peer's port. If there is none, nothing is sent: the requester has a deadline. These three in CPU
 * 0's work.
 */
void ikc_relay(uint32_t peer, uint16_t port, const struct ikc_stream_request *request);

/* The peer has made room. */
void ikc_relay_room(uint32_t peer);

/* The link to the peer went down: no report goes there. */
void ikc_relay_forget(uint32_t peer);

/*
 * Obeys stream=<peer>:<count>:<seed>[:channel] on the command line: sends it each time the link to
 * that peer comes up.
 */
void ikc_stream_boot_init(void);

#endif
