/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checked message streams (ikc/ikc_stream.h). Everything here runs in CPU 0's work, one at a time.
 * What finds no room waits for it in its struct stream, so that no stream delays another.
 */
#include <ikc/ikc_stream.h>
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_stream.h>
#include <lwk/string.h>
#include <lwk/work.h>

#define STREAMS 8 /* of one peer; one more takes the place of the oldest */
#define BATCH 8 /* messages of one stream before the next has its turn */

enum stream_state {
	STREAM_FREE,
	STREAM_CHECKING, /* takes and checks messages */
	STREAM_REPORTING, /* has the report to send */
	STREAM_ASKING, /* has the request to send, and then the messages */
	STREAM_SENDING,
};

/* Between one of our ports and one of a peer's. */
struct stream {
	enum stream_state state;
	uint16_t own_port;
	uint16_t peer_port;
	struct ikc_stream progress;
};

static struct {
	struct stream streams[STREAMS];
	unsigned int oldest;
} tables[IKC_PARTITIONS_MAX];

static void pump(struct work *work);
static struct work pump_work = { .run = pump };

static struct stream *find_stream(uint32_t peer, uint16_t peer_port)
{
	for (unsigned int i = 0; i < STREAMS; i++) {
		struct stream *stream = &tables[peer].streams[i];

		if (stream->state != STREAM_FREE && stream->peer_port == peer_port)
			return stream;
	}
	return NULL;
}

static struct stream *claim_stream(uint32_t peer, uint16_t peer_port)
{
	struct stream *stream = find_stream(peer, peer_port);

	if (stream)
		return stream;
	for (unsigned int i = 0; i < STREAMS; i++)
		if (tables[peer].streams[i].state == STREAM_FREE)
			return &tables[peer].streams[i];
	return &tables[peer].streams[tables[peer].oldest++ % STREAMS];
}

static void begin(uint32_t peer, uint16_t own_port, uint16_t peer_port, enum stream_state state,
		  uint32_t seed, uint32_t count)
{
	struct stream *stream = claim_stream(peer, peer_port);

	stream->own_port = own_port;
	stream->peer_port = peer_port;
	stream->state = state;
	ikc_stream_begin(&stream->progress, seed, count);
	work_queue(0, &pump_work);
}

void ikc_stream_send(uint32_t peer, uint16_t own_port, uint32_t seed, uint32_t count)
{
	begin(peer, own_port, IKC_PORT_STREAM, STREAM_ASKING, seed, count);
}

/* ---- sending ---- */

static int send_request(uint32_t peer, struct stream *stream)
{
	struct ikc_stream_request request = {
		.kind = IKC_STREAM_SINK,
		.seed = stream->progress.seed,
		.count = stream->progress.count,
	};
	int err = ikc_send_message(peer, stream->own_port, stream->peer_port, &request,
				   sizeof(request));

	if (!err)
		stream->state = STREAM_SENDING;
	return err;
}

static int send_report(uint32_t peer, struct stream *stream)
{
	struct ikc_stream_report report = {
		.kind = IKC_STREAM_REPORT,
		.fault = stream->progress.fault,
		.received = stream->progress.next,
		.at = stream->progress.fault_at,
		.bytes = stream->progress.bytes,
	};
	int err = ikc_send_message(peer, stream->own_port, stream->peer_port, &report,
				   sizeof(report));

	if (!err)
		stream->state = STREAM_FREE;
	return err;
}

static int send_next(uint32_t peer, struct stream *stream)
{
	static uint8_t message[IKC_MESSAGE_MAX];
	struct ikc_stream *progress = &stream->progress;
	int err;

	if (progress->next == progress->count) {
		stream->state = STREAM_FREE;
		return 0;
	}
	/* look for room first: a message is dear to make */
	err = ikc_wait_for_room(peer, ikc_stream_length(progress->seed, progress->next));
	if (!err)
		err = ikc_send_message(peer, stream->own_port, stream->peer_port, message,
				       ikc_stream_make(progress->seed, progress->next, message));
	if (!err)
		progress->next++;
	return err;
}

/* 0 if the stream may have more to send; -EAGAIN until room() comes. */
static int pump_stream(uint32_t peer, struct stream *stream)
{
	int err = 0;

	for (int i = 0; !err && i < BATCH; i++) {
		switch (stream->state) {
		case STREAM_ASKING:
			err = send_request(peer, stream);
			break;
		case STREAM_SENDING:
			err = send_next(peer, stream);
			break;
		case STREAM_REPORTING:
			err = send_report(peer, stream);
			break;
		default:
			return -EAGAIN;
		}
	}
	return err;
}

static void pump(struct work *work)
{
	bool more = false;

	for_each_ikc_peer(peer)
		for (unsigned int i = 0; i < STREAMS; i++)
			more |= !pump_stream(peer->id, &tables[peer->id].streams[i]);
	if (more)
		work_queue(0, work);
}

static void room(uint32_t peer)
{
	ikc_relay_room(peer);
	work_queue(0, &pump_work);
}

/* ---- the service ---- */

static void take_request(uint32_t peer, uint16_t port, const void *payload)
{
	struct ikc_stream_request request;

	memcpy(&request, payload, sizeof(request));
	if (request.kind == IKC_STREAM_RELAY)
		ikc_relay(peer, port, &request);
	else if (request.kind == IKC_STREAM_SOURCE)
		begin(peer, IKC_PORT_STREAM, port, STREAM_SENDING, request.seed, request.count);
	else
		begin(peer, IKC_PORT_STREAM, port,
		      request.count ? STREAM_CHECKING : STREAM_REPORTING, request.seed,
		      request.count);
}

static void take_data(uint32_t peer, uint16_t port, const void *payload, uint32_t length)
{
	struct stream *stream = find_stream(peer, port);

	if (!stream || stream->state != STREAM_CHECKING)
		return;
	if (ikc_stream_take(&stream->progress, payload, length)) {
		stream->state = STREAM_REPORTING;
		work_queue(0, &pump_work);
	}
}

static int receive(uint32_t peer, const struct ikc_message *message, const void *payload)
{
	uint32_t kind = 0;

	if (message->length >= sizeof(kind))
		memcpy(&kind, payload, sizeof(kind));
	if (message->length == sizeof(struct ikc_stream_request) &&
	    (kind == IKC_STREAM_SINK || kind == IKC_STREAM_SOURCE || kind == IKC_STREAM_RELAY))
		take_request(peer, message->from_port, payload);
	else
		take_data(peer, message->from_port, payload, message->length);
	return 0;
}

static void link_changed(uint32_t peer, bool up)
{
	if (up)
		return;
	ikc_relay_forget(peer);
	for (unsigned int i = 0; i < STREAMS; i++)
		tables[peer].streams[i].state = STREAM_FREE;
}

void ikc_stream_init(void)
{
	static struct ikc_listener service = {
		.port = IKC_PORT_STREAM,
		.receive = receive,
		.room = room,
		.link = link_changed,
	};

	ikc_listen(&service);
	ikc_stream_channel_init();
}
