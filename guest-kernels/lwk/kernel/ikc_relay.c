/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RELAY: a stream to a third partition on behalf of a peer. The stream runs where its channel is
 * served; everything else here in CPU 0's work.
 */
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_stream.h>
#include <lwk/log.h>
#include <lwk/work.h>

#define RELAYS 16 /* under way; one more is left out */

struct relay {
	bool used;
	bool forgotten; /* nobody waits for the report */
	bool done; /* the stream; what is left is the report */
	uint32_t peer;
	uint16_t port;
	struct ikc_stream_order order;
	struct ikc_stream_report report;
	struct work work;
};

static struct relay relays[RELAYS];

static void send_report(struct relay *relay)
{
	int err = 0;

	if (!relay->forgotten)
		err = ikc_send_message(relay->peer, IKC_PORT_STREAM, relay->port, &relay->report,
				       sizeof(relay->report));
	if (err != -EAGAIN)
		relay->used = false;
}

static void finish(struct work *work)
{
	struct relay *relay = container_of(work, struct relay, work);

	relay->done = true;
	send_report(relay);
}

static const struct ikc_stream_report cut = { .kind = IKC_STREAM_REPORT, .fault = IKC_STREAM_CUT };

static void stream_done(struct ikc_stream_order *order, const struct ikc_stream_report *report,
			const char *why)
{
	struct relay *relay = container_of(order, struct relay, order);

	if (!report)
		log_info("stream: a relayed one brought no report: %s", why);
	relay->report = report ? *report : cut;
	work_queue(0, &relay->work);
}

static void forget(uint32_t peer, uint16_t port, bool all_ports)
{
	for (unsigned int i = 0; i < RELAYS; i++)
		if (relays[i].peer == peer && (all_ports || relays[i].port == port))
			relays[i].forgotten = true;
}

static struct relay *find_free(void)
{
	for (unsigned int i = 0; i < RELAYS; i++)
		if (!relays[i].used)
			return &relays[i];
	return NULL;
}

void ikc_relay(uint32_t peer, uint16_t port, const struct ikc_stream_request *request)
{
	struct relay *relay;

	forget(peer, port, false); /* a new request replaces the old */
	relay = find_free();
	if (!relay)
		return;
	*relay = (struct relay){
		.used = true,
		.peer = peer,
		.port = port,
		.order = { request->seed, request->count, stream_done },
		.work = { .run = finish },
	};
	if (ikc_stream_open(request->partition, &relay->order)) {
		relay->report = cut;
		work_queue(0, &relay->work);
	}
}

void ikc_relay_room(uint32_t peer)
{
	for (unsigned int i = 0; i < RELAYS; i++)
		if (relays[i].used && relays[i].done && relays[i].peer == peer)
			send_report(&relays[i]);
}

void ikc_relay_forget(uint32_t peer)
{
	forget(peer, 0, true);
	ikc_relay_room(peer);
}
