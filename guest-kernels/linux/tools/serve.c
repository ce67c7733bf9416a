/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl serve: ECHO and STREAM for other partitions, over messages and over channels. */
#include "ikc_stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "channel.h"
#include "endpoint.h"
#include "error.h"
#include "options.h"
#include "verbs.h"

#define SERVE_ECHO_MAGIC 0x4f484345 /* "ECHO" */
/* Who asks and does not read may not keep the others waiting for longer. */
#define SERVE_TIMEOUT_MS 1000
#define SERVE_STREAMS 64

/* A stream over messages that is being checked. */
struct serve_stream {
	bool used;
	uint32_t peer;
	uint16_t port;
	struct ikc_stream progress;
};

struct service {
	struct device device;
	struct endpoint echo;
	struct endpoint stream;
	int echo_channels;
	int stream_channels;
	struct serve_stream streams[SERVE_STREAMS];
	uint32_t oldest;
};

/* A process of its own for what takes long: true in the child, which must exit. */
static bool serve_fork(void)
{
	pid_t parent = getpid(), child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		fprintf(stderr, "ikcctl: fork: %s\n", strerror(errno));
	if (child)
		return false;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		exit(0);
	return true;
}

/* ---- messages ---- */

static void serve_echo(const struct service *service)
{
	struct endpoint_message message;
	int error;

	if (endpoint_receive(&service->echo, &message, 0))
		return; /* none after all, or the news of a link that was reset */
	error = endpoint_try_send(&service->echo, message.partition, message.port, message.data, message.length,
				  SERVE_TIMEOUT_MS);
	if (error)
		fprintf(stderr, "ikcctl: an echo is lost: %s\n",
			endpoint_why(&service->device, message.partition, error));
}

static void serve_say(const struct service *service, uint32_t peer, uint16_t port, const void *data,
		      uint32_t length)
{
	int error = endpoint_try_send(&service->stream, peer, port, data, length, SERVE_TIMEOUT_MS);

	if (error)
		fprintf(stderr, "ikcctl: an answer is lost: %s\n", endpoint_why(&service->device, peer, error));
}

static struct ikc_stream_report serve_report(const struct ikc_stream *progress)
{
	return (struct ikc_stream_report) {
		.kind = IKC_STREAM_REPORT,
		.fault = progress->fault,
		.received = progress->next,
		.at = progress->fault_at,
		.bytes = progress->bytes,
	};
}

static struct serve_stream *serve_find(struct service *service, uint32_t peer, uint16_t port)
{
	uint32_t i;

	for (i = 0; i < SERVE_STREAMS; i++)
		if (service->streams[i].used && service->streams[i].peer == peer &&
		    service->streams[i].port == port)
			return &service->streams[i];
	return NULL;
}

/* For a new stream of that source: its old one, or a free one, or the one that was begun first. */
static struct serve_stream *serve_claim(struct service *service, uint32_t peer, uint16_t port)
{
	struct serve_stream *stream = serve_find(service, peer, port);
	uint32_t i;

	for (i = 0; !stream && i < SERVE_STREAMS; i++)
		if (!service->streams[i].used)
			stream = &service->streams[i];
	return stream ? stream : &service->streams[service->oldest++ % SERVE_STREAMS];
}

static void serve_check(struct service *service, const struct endpoint_message *message,
			struct serve_stream *stream)
{
	struct ikc_stream_report report;
	bool complete = stream->progress.count == 0;

	if (message)
		complete = ikc_stream_take(&stream->progress, message->data, message->length);
	if (!complete)
		return;
	report = serve_report(&stream->progress);
	stream->used = false;
	serve_say(service, stream->peer, stream->port, &report, sizeof(report));
}

static void serve_source(const struct service *service, const struct endpoint_message *from,
			 const struct ikc_stream_request *request)
{
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint32_t i, length;
	int error = 0;

	for (i = 0; i < request->count && !error; i++) {
		length = ikc_stream_make(request->seed, i, buffer);
		error = endpoint_try_send(&service->stream, from->partition, from->port, buffer, length,
					  ENDPOINT_NO_TIMEOUT);
	}
}

static void serve_request(struct service *service, const struct endpoint_message *message)
{
	struct ikc_stream_request request;
	struct serve_stream *stream;

	memcpy(&request, message->data, sizeof(request));
	if (request.kind == IKC_STREAM_SOURCE) {
		if (serve_fork()) {
			serve_source(service, message, &request);
			exit(0);
		}
		return;
	}
	stream = serve_claim(service, message->partition, message->port);
	*stream = (struct serve_stream) { true, message->partition, message->port, { 0 } };
	ikc_stream_begin(&stream->progress, request.seed, request.count);
	if (!request.count)
		serve_check(service, NULL, stream);
}

static bool serve_is_request(const uint8_t *data, uint32_t length)
{
	struct ikc_stream_request request;

	if (length != sizeof(request))
		return false;
	memcpy(&request, data, sizeof(request));
	return request.kind == IKC_STREAM_SINK || request.kind == IKC_STREAM_SOURCE;
}

static void serve_stream(struct service *service)
{
	struct endpoint_message message;
	struct serve_stream *stream;
	int error = endpoint_receive(&service->stream, &message, 0);
	uint32_t i;

	for (i = 0; error == ENETRESET && i < SERVE_STREAMS; i++)
		if (service->streams[i].peer == message.partition)
			service->streams[i].used = false;
	if (error)
		return;
	if (serve_is_request(message.data, message.length)) {
		serve_request(service, &message);
		return;
	}
	stream = serve_find(service, message.partition, message.port);
	if (stream)
		serve_check(service, &message, stream);
}

/* ---- channels: a process each ---- */

static void serve_echo_channel(const struct channel *channel)
{
	uint8_t *buffer = malloc(IKC_POOL_SIZE);
	uint32_t length;

	if (!buffer)
		die(EXIT_ENVIRONMENT, "no memory");
	while (!channel_receive(channel, buffer, IKC_POOL_SIZE, &length, ENDPOINT_NO_TIMEOUT) &&
	       !channel_send(channel, buffer, length, ENDPOINT_NO_TIMEOUT))
		;
}

static int serve_sink_channel(const struct channel *channel, const struct ikc_stream_request *request)
{
	struct ikc_stream_report report;
	uint8_t buffer[IKC_MESSAGE_MAX];
	struct ikc_stream progress;
	bool complete = request->count == 0;
	uint32_t length;
	int error = 0;

	ikc_stream_begin(&progress, request->seed, request->count);
	while (!complete && !error) {
		error = channel_receive(channel, buffer, sizeof(buffer), &length, ENDPOINT_NO_TIMEOUT);
		if (!error)
			complete = ikc_stream_take(&progress, buffer, length);
	}
	report = serve_report(&progress);
	return error ? error : channel_send(channel, &report, sizeof(report), ENDPOINT_NO_TIMEOUT);
}

static int serve_source_channel(const struct channel *channel, const struct ikc_stream_request *request)
{
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint32_t i, length;
	int error = 0;

	for (i = 0; i < request->count && !error; i++) {
		length = ikc_stream_make(request->seed, i, buffer);
		error = channel_send(channel, buffer, length, ENDPOINT_NO_TIMEOUT);
	}
	return error;
}

static void serve_stream_channel(const struct channel *channel)
{
	struct ikc_stream_request request;
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint32_t length;
	int error = 0;

	while (!error &&
	       !channel_receive(channel, buffer, sizeof(buffer), &length, ENDPOINT_NO_TIMEOUT)) {
		if (!serve_is_request(buffer, length))
			continue;
		memcpy(&request, buffer, sizeof(request));
		error = (request.kind == IKC_STREAM_SINK ? serve_sink_channel : serve_source_channel)(channel,
												     &request);
	}
}

static void serve_accept(const struct service *service, int listener, void (*serve)(const struct channel *))
{
	struct channel channel;

	if (!channel_accept(&service->device, listener, &channel))
		return;
	if (serve_fork()) {
		serve(&channel);
		exit(0);
	}
	close(channel.fd);
}

/* ---- the verb ---- */

static void serve_once(struct service *service)
{
	struct pollfd entries[] = {
		{ .fd = service->echo.fd, .events = POLLIN },
		{ .fd = service->stream.fd, .events = POLLIN },
		{ .fd = service->echo_channels, .events = POLLIN },
		{ .fd = service->stream_channels, .events = POLLIN },
	};

	if (poll(entries, 4, ENDPOINT_NO_TIMEOUT) < 0)
		die(EXIT_FAILED, "poll: %s", strerror(errno));
	if (entries[0].revents & POLLHUP)
		die(EXIT_ENVIRONMENT, "%s went away", DEVICE_PATH);
	if (entries[0].revents)
		serve_echo(service);
	if (entries[1].revents)
		serve_stream(service);
	if (entries[2].revents)
		serve_accept(service, service->echo_channels, serve_echo_channel);
	if (entries[3].revents)
		serve_accept(service, service->stream_channels, serve_stream_channel);
}

int verb_serve(char **words)
{
	static const struct option_rule rules[] = { { 0 } };
	static struct service service;

	options_read(words, rules, "");
	service.device = device_open();
	service.echo = endpoint_listen(&service.device, IKC_PORT_ECHO);
	service.stream = endpoint_listen(&service.device, IKC_PORT_STREAM);
	service.echo_channels = channel_listen(IKC_PORT_ECHO, SERVE_ECHO_MAGIC, IKC_MESSAGE_MAX);
	service.stream_channels = channel_listen(IKC_PORT_STREAM, IKC_STREAM_DATA, IKC_MESSAGE_MAX);
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;)
		serve_once(&service);
}
