/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream=<peer>:<count>:<seed>[:channel] on the command line: a test of the link between two LWKs,
 * told in the log.
 */
#include <ikc/ikc_stream.h>
#include <lwk/cmdline.h>
#include <lwk/ikc.h>
#include <lwk/ikc_stream.h>
#include <lwk/log.h>
#include <lwk/string.h>
#include <lwk/time.h>

#define PORT IKC_PORT_FIRST_EPHEMERAL

static char peer_name[IKC_NAME_SIZE];
static uint64_t count;
static uint64_t seed;
static bool by_channel;

static uint64_t started;
static bool awaits_report;

static void tell(const struct ikc_stream_report *report)
{
	log_info("stream: %s took %u of %lu messages, %lu bytes, fault %u at %u, in %llu us%s",
		 peer_name, report->received, count, report->bytes, report->fault, report->at,
		 (time_ns() - started) / NS_PER_US, by_channel ? ", over a channel" : "");
}

static int take_report(uint32_t peer, const struct ikc_message *message, const void *payload)
{
	struct ikc_stream_report report;

	if (!awaits_report || message->length != sizeof(report) ||
	    strcmp(ikc_peer_name(peer), peer_name))
		return 0;
	memcpy(&report, payload, sizeof(report));
	if (report.kind != IKC_STREAM_REPORT)
		return 0;
	awaits_report = false;
	tell(&report);
	return 0;
}

static void channel_done(struct ikc_stream_order *order, const struct ikc_stream_report *report,
			 const char *why)
{
	(void)order;
	if (report)
		tell(report);
	else
		log_info("stream: no report from %s: %s", peer_name, why);
}

static void send_by_channel(uint32_t peer)
{
	static struct ikc_stream_order order = { .done = channel_done };
	int err;

	order.seed = seed;
	order.count = count;
	err = ikc_stream_open(peer, &order);
	if (err)
		log_info("stream: no channel to %s: error %d", peer_name, err);
}

static void link_changed(uint32_t peer, bool up)
{
	if (strcmp(ikc_peer_name(peer), peer_name))
		return;
	awaits_report = up && !by_channel;
	started = time_ns();
	if (up && by_channel)
		send_by_channel(peer);
	else if (up)
		ikc_stream_send(peer, PORT, seed, count);
}

/* Cuts the text at its next colon and returns what is behind it, or NULL. */
static char *cut(char *text)
{
	char *colon = text ? (char *)strchr(text, ':') : NULL;

	if (!colon)
		return NULL;
	*colon = '\0';
	return colon + 1;
}

void ikc_stream_boot_init(void)
{
	static struct ikc_listener listener = {
		.port = PORT,
		.receive = take_report,
		.link = link_changed,
	};
	char text[64];
	char *count_text, *seed_text, *way;

	if (!cmdline_string("stream", text, sizeof(text)))
		return;
	count_text = cut(text);
	seed_text = cut(count_text);
	way = cut(seed_text);
	by_channel = way && !strcmp(way, "channel");
	if (!seed_text || (way && !by_channel) || !cmdline_parse_number(count_text, &count) ||
	    !cmdline_parse_number(seed_text, &seed) || count > UINT32_MAX || seed > UINT32_MAX) {
		log_warn("stream: want stream=<peer>:<count>:<seed>[:channel], with 32-bit numbers");
		return;
	}
	string_copy(peer_name, text, sizeof(peer_name));
	ikc_listen(&listener);
}
