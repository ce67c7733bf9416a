/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checked message streams over channels, both ends. What a stream needs to know lies in its channel;
 * after a batch it lets other channels have their turn.
 */
#include <lwk/errno.h>
#include <lwk/ikc_channel.h>
#include <lwk/ikc_stream.h>
#include <lwk/string.h>

#define BATCH 8 /* messages of one stream before the next has its turn */

enum stage {
	STAGE_WAITING, /* for the peer's next word: a request, or the report */
	STAGE_CHECKING,
	STAGE_REPORTING, /* has the report to send */
	STAGE_ASKING, /* has the request to send, and then the messages */
	STAGE_SENDING,
};

struct stream {
	enum stage stage;
	struct ikc_stream progress;
};

_Static_assert(sizeof(struct stream) <= CHANNEL_USER_SIZE, "a stream lies in its channel");

static struct stream *stream_of(struct channel *channel)
{
	return (struct stream *)channel->user;
}

/* ---- sending ---- */

static int send_request(struct channel *channel, struct stream *stream)
{
	struct ikc_stream_request request = {
		.kind = IKC_STREAM_SINK,
		.seed = stream->progress.seed,
		.count = stream->progress.count,
	};
	int err = channel_send(channel, &request, sizeof(request));

	if (!err)
		stream->stage = STAGE_SENDING;
	return err;
}

static int send_report(struct channel *channel, struct stream *stream)
{
	struct ikc_stream_report report = {
		.kind = IKC_STREAM_REPORT,
		.fault = stream->progress.fault,
		.received = stream->progress.next,
		.at = stream->progress.fault_at,
		.bytes = stream->progress.bytes,
	};
	int err = channel_send(channel, &report, sizeof(report));

	if (!err)
		stream->stage = STAGE_WAITING;
	return err;
}

static int send_next(struct channel *channel, struct stream *stream)
{
	struct ikc_stream *progress = &stream->progress;
	uint8_t message[IKC_MESSAGE_MAX];
	int err;

	if (progress->next == progress->count) {
		stream->stage = STAGE_WAITING;
		return 0;
	}
	/* look for room first: a message is dear to make */
	err = channel_wait_for_room(channel, ikc_stream_length(progress->seed, progress->next));
	if (!err)
		err = channel_send(channel, message,
				   ikc_stream_make(progress->seed, progress->next, message));
	if (!err)
		progress->next++;
	return err;
}

static int send_one(struct channel *channel, struct stream *stream)
{
	switch (stream->stage) {
	case STAGE_ASKING:
		return send_request(channel, stream);
	case STAGE_SENDING:
		return send_next(channel, stream);
	case STAGE_REPORTING:
		return send_report(channel, stream);
	default:
		return -EAGAIN;
	}
}

static void pump(struct channel *channel)
{
	struct stream *stream = stream_of(channel);

	for (int i = 0; i < BATCH; i++)
		if (send_one(channel, stream))
			return;
	channel_call_again(channel);
}

/* ---- the service ---- */

static void take_request(struct channel *channel, const struct channel_message *message)
{
	struct stream *stream = stream_of(channel);
	struct ikc_stream_request request = { 0 };

	if (message->length == sizeof(request))
		memcpy(&request, message->payload, sizeof(request));
	ikc_stream_begin(&stream->progress, request.seed, request.count);
	if (request.kind == IKC_STREAM_SOURCE)
		stream->stage = STAGE_SENDING;
	else if (request.kind == IKC_STREAM_SINK)
		stream->stage = request.count ? STAGE_CHECKING : STAGE_REPORTING;
	else
		channel_close(channel);
	pump(channel);
}

/* What was lent can change under the check, which then finds a fault and does no harm. */
static int serve(struct channel *channel, const struct channel_message *message)
{
	struct stream *stream = stream_of(channel);

	if (stream->stage == STAGE_WAITING) {
		take_request(channel, message);
	} else if (stream->stage == STAGE_CHECKING &&
		   ikc_stream_take(&stream->progress, message->payload, message->length)) {
		stream->stage = STAGE_REPORTING;
		pump(channel);
	}
	return 0;
}

static const struct channel_calls service_calls = { .message = serve, .writable = pump };

void ikc_stream_channel_init(void)
{
	static struct channel_listener service = {
		.port = IKC_PORT_STREAM,
		.magic = IKC_STREAM_DATA,
		.packet_size = IKC_MESSAGE_MAX,
		.calls = &service_calls,
	};

	channel_listen(&service);
}

/* ---- who asks ---- */

static void opened(struct channel *channel)
{
	const struct ikc_stream_order *order = channel->owner;
	struct stream *stream = stream_of(channel);

	ikc_stream_begin(&stream->progress, order->seed, order->count);
	stream->stage = STAGE_ASKING;
	pump(channel);
}

static void denied(void *owner, uint32_t refusal)
{
	struct ikc_stream_order *order = owner;

	order->done(order, NULL, refusal ? ikc_refusal_word(refusal) : "the link went down");
}

static void ended(struct channel *channel)
{
	struct ikc_stream_order *order = channel->owner;

	order->done(order, NULL, "the channel ended");
}

static int take_report(struct channel *channel, const struct channel_message *message)
{
	struct ikc_stream_order *order = channel->owner;
	struct ikc_stream_report report = { 0 };

	if (message->length == sizeof(report))
		memcpy(&report, message->payload, sizeof(report));
	channel_close(channel);
	if (report.kind == IKC_STREAM_REPORT)
		order->done(order, &report, NULL);
	else
		order->done(order, NULL, "its report is none");
	return 0;
}

static const struct channel_calls order_calls = {
	.opened = opened,
	.denied = denied,
	.message = take_report,
	.writable = pump,
	.ended = ended,
};

int ikc_stream_open(uint32_t peer, struct ikc_stream_order *order)
{
	static const struct ikc_terms terms = {
		.to_port = IKC_PORT_STREAM,
		.from_port = IKC_PORT_STREAM,
		.magic = IKC_STREAM_DATA,
		.packet_size = IKC_MESSAGE_MAX,
	};
	struct channel *channel;

	return channel_open(peer, &terms, &order_calls, order, &channel);
}
