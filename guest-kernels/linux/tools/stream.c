/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl stream: many messages of mixed sizes, each checked (ikc_stream.h). */
#include "ikc_stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "error.h"
#include "options.h"
#include "verbs.h"
#include "wire.h"
#include "words.h"

/* Without progress for so long, the stream is stuck. */
#define STREAM_TIMEOUT_MS 20000
/* For so long, one message too many is waited for. */
#define STREAM_SURPLUS_MS 50
/* All of a stream that another partition sends: of its progress nothing is heard. */
#define STREAM_RELAY_MS 600000

enum { STREAM_TO, STREAM_FROM, STREAM_BY, STREAM_CHANNEL, STREAM_COUNT, STREAM_SEED, STREAM_JSON };

static const struct option_rule stream_rules[] = {
	[STREAM_TO] = { "--to", false },
	[STREAM_FROM] = { "--from", false },
	[STREAM_BY] = { "--by", true },
	[STREAM_CHANNEL] = { "--channel", false },
	[STREAM_COUNT] = { "--count", true },
	[STREAM_SEED] = { "--seed", true },
	[STREAM_JSON] = { "--json", false },
	{ 0 },
};

struct stream_run {
	struct device device;
	struct wire wire;
	char peer_name[IKC_NAME_SIZE];
	uint32_t peer;
	uint32_t by; /* who sends it: our own id, or another partition that we ask to */
	uint32_t seed;
	uint32_t count;
};

/* What became of it. */
struct stream_result {
	uint32_t messages;
	uint64_t bytes;
	char fault[200]; /* "": none */
};

static void stream_send(const struct stream_run *run, const void *data, uint32_t length)
{
	int error = wire_send(&run->wire, data, length, STREAM_TIMEOUT_MS);

	if (error)
		die(EXIT_FAILED, "stream: %s", wire_why(&run->wire, error));
}

static void stream_request(const struct stream_run *run, enum ikc_stream_kind kind)
{
	struct ikc_stream_request request = {
		.kind = kind,
		.seed = run->seed,
		.count = run->count,
		.partition = kind == IKC_STREAM_RELAY ? run->peer : 0,
	};

	stream_send(run, &request, sizeof(request));
}

/* False if the message did not come; result->fault says why. */
static bool stream_receive(const struct stream_run *run, struct endpoint_message *message,
			   int timeout_ms, struct stream_result *result)
{
	int error = wire_receive(&run->wire, message, timeout_ms);

	if (!error)
		return true;
	if (error == EAGAIN)
		snprintf(result->fault, sizeof(result->fault), "nothing from %s for %d ms", run->peer_name,
			 timeout_ms);
	else
		snprintf(result->fault, sizeof(result->fault), "%s",
			 wire_why(&run->wire, error));
	return false;
}

static const char *stream_fault_word(uint32_t fault)
{
	switch (fault) {
	case IKC_STREAM_OUT_OF_ORDER:
		return "lost, twice or out of order";
	case IKC_STREAM_BAD_LENGTH:
		return "of another length than was sent";
	case IKC_STREAM_BAD_CHECKSUM:
		return "with a wrong checksum";
	case IKC_STREAM_CUT:
		return "no more: the stream between them was cut";
	default:
		return "wrong in a way unknown here";
	}
}

/* ---- to the peer ---- */

static void stream_judge_report(const struct endpoint_message *message, const struct stream_run *run,
				uint64_t bytes_sent, struct stream_result *result)
{
	struct ikc_stream_report report;

	if (message->length != sizeof(report)) {
		snprintf(result->fault, sizeof(result->fault), "a report of %u bytes instead of %zu",
			 message->length, sizeof(report));
		return;
	}
	memcpy(&report, message->data, sizeof(report));
	result->messages = report.received;
	result->bytes = report.bytes;
	if (report.kind != IKC_STREAM_REPORT)
		snprintf(result->fault, sizeof(result->fault), "an answer that is no report");
	else if (report.fault)
		snprintf(result->fault, sizeof(result->fault), "message %u came %s", report.at,
			 stream_fault_word(report.fault));
	else if (report.received != run->count || report.bytes != bytes_sent)
		snprintf(result->fault, sizeof(result->fault),
			 "%u messages with %llu bytes arrived of %u with %llu", report.received,
			 (unsigned long long)report.bytes, run->count, (unsigned long long)bytes_sent);
}

static void stream_to(const struct stream_run *run, struct stream_result *result)
{
	struct endpoint_message answer;
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint64_t bytes = 0;
	uint32_t i, length;

	stream_request(run, IKC_STREAM_SINK);
	for (i = 0; i < run->count; i++) {
		length = ikc_stream_make(run->seed, i, buffer);
		stream_send(run, buffer, length);
		bytes += length;
	}
	if (stream_receive(run, &answer, STREAM_TIMEOUT_MS, result))
		stream_judge_report(&answer, run, bytes, result);
}

/* ---- from the peer ---- */

static void stream_find_surplus(const struct stream_run *run, struct stream_result *result)
{
	struct endpoint_message message;

	if (!wire_receive(&run->wire, &message, STREAM_SURPLUS_MS))
		snprintf(result->fault, sizeof(result->fault), "more than %u messages came", run->count);
}

static void stream_from(const struct stream_run *run, struct stream_result *result)
{
	struct endpoint_message message;
	struct ikc_stream stream;
	bool complete = run->count == 0;

	ikc_stream_begin(&stream, run->seed, run->count);
	stream_request(run, IKC_STREAM_SOURCE);
	while (!complete && !stream.fault && stream_receive(run, &message, STREAM_TIMEOUT_MS, result))
		complete = ikc_stream_take(&stream, message.data, message.length);
	result->messages = stream.next;
	result->bytes = stream.bytes;
	if (stream.fault)
		snprintf(result->fault, sizeof(result->fault), "message %u came %s", stream.fault_at,
			 stream_fault_word(stream.fault));
	else if (complete)
		stream_find_surplus(run, result);
}

/* ---- between two others ---- */

static void stream_relayed(const struct stream_run *run, struct stream_result *result)
{
	struct endpoint_message answer;
	uint64_t bytes = 0;
	uint32_t i;

	stream_request(run, IKC_STREAM_RELAY);
	for (i = 0; i < run->count; i++)
		bytes += ikc_stream_length(run->seed, i);
	if (stream_receive(run, &answer, STREAM_RELAY_MS, result))
		stream_judge_report(&answer, run, bytes, result);
}

/* ---- the verb ---- */

static double stream_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void stream_print(const struct stream_run *run, const char *direction,
			 const struct stream_result *result, double seconds)
{
	if (*result->fault)
		fprintf(stderr, "ikcctl: stream %s %s: %s\n", direction, run->peer_name, result->fault);
	else
		printf("%u messages %s %s, %llu bytes in %.2f s: all in order, none lost, none twice, "
		       "checksums right\n", result->messages, direction, run->peer_name,
		       (unsigned long long)result->bytes, seconds);
}

static void stream_print_json(const struct stream_run *run, const char *direction,
			      const struct stream_result *result, double seconds)
{
	printf("{\"peer\": \"%s\", \"direction\": \"%s\", \"count\": %u, \"seed\": %u, \"messages\": %u, "
	       "\"bytes\": %llu, \"seconds\": %.6f, \"fault\": ", run->peer_name, direction, run->count,
	       run->seed, result->messages, (unsigned long long)result->bytes, seconds);
	if (*result->fault)
		word_print_json(result->fault, strlen(result->fault));
	else
		fputs("null", stdout);
	puts("}");
}

static struct stream_run stream_prepare(const struct options *options)
{
	const char *count = options->values[STREAM_COUNT], *seed = options->values[STREAM_SEED];
	const char *by = options->values[STREAM_BY];
	struct stream_run run = { .count = 10000, .seed = 1 };

	if (!options->values[STREAM_TO] == !options->values[STREAM_FROM])
		die(EXIT_USAGE, "stream needs one of --to and --from");
	if (by && (options->values[STREAM_FROM] || options->values[STREAM_CHANNEL]))
		die(EXIT_USAGE, "stream --by goes with --to alone: that partition chooses how");
	if (count)
		run.count = option_number("--count", count, 1, UINT32_MAX);
	if (seed)
		run.seed = option_number("--seed", seed, 0, UINT32_MAX);
	run.device = device_open();
	run.peer = device_find_peer(&run.device, options->operands[0]);
	device_name(&run.device, run.peer, run.peer_name);
	run.by = by ? device_find_peer(&run.device, by) : run.device.info.own_id;
	if (run.by == run.peer)
		die(EXIT_USAGE, "stream --by \"%s\" to itself: name another", by);
	return run;
}

static struct wire stream_wire(const struct stream_run *run, bool channel)
{
	uint32_t service = run->by == run->device.info.own_id ? run->peer : run->by;

	if (channel)
		return wire_open_channel(&run->device, service, IKC_PORT_STREAM, IKC_STREAM_DATA,
					 STREAM_TIMEOUT_MS);
	return wire_open(&run->device, service, IKC_PORT_STREAM, STREAM_TIMEOUT_MS);
}

int verb_stream(char **words)
{
	struct options options = options_read(words, stream_rules, "PEER");
	struct stream_run run = stream_prepare(&options);
	bool to = options.values[STREAM_TO];
	struct stream_result result = { 0 };
	double begin, seconds;

	run.wire = stream_wire(&run, options.values[STREAM_CHANNEL]);
	begin = stream_seconds();
	if (run.by != run.device.info.own_id)
		stream_relayed(&run, &result);
	else
		(to ? stream_to : stream_from)(&run, &result);
	seconds = stream_seconds() - begin;
	(options.values[STREAM_JSON] ? stream_print_json : stream_print)(&run, to ? "to" : "from", &result,
									 seconds);
	return *result.fault ? EXIT_FAILED : 0;
}
