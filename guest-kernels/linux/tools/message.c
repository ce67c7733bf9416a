/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl send and receive: single messages. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "error.h"
#include "options.h"
#include "verbs.h"
#include "words.h"

#define SEND_TIMEOUT_MS 5000

/* ---- send ---- */

static uint32_t message_from_stdin(uint8_t *buffer)
{
	size_t length = fread(buffer, 1, IKC_MESSAGE_MAX, stdin);

	if (ferror(stdin))
		die(EXIT_FAILED, "standard input: %s", strerror(errno));
	if (length == IKC_MESSAGE_MAX && getchar() != EOF)
		die(EXIT_USAGE, "standard input is longer than a message: at most %d bytes", IKC_MESSAGE_MAX);
	return length;
}

static uint32_t message_from_text(uint8_t *buffer, const char *text)
{
	size_t length = strlen(text);

	if (length > IKC_MESSAGE_MAX)
		die(EXIT_USAGE, "--text has %zu bytes: a message has at most %d", length, IKC_MESSAGE_MAX);
	memcpy(buffer, text, length);
	return length;
}

int verb_send(char **words)
{
	static const struct option_rule rules[] = { { "--text", true }, { 0 } };
	struct options options = options_read(words, rules, "PEER PORT");
	const char *text = options.values[0];
	uint16_t port = option_number("PORT", options.operands[1], 1, UINT16_MAX);
	struct device device = device_open();
	uint32_t peer = device_find_peer(&device, options.operands[0]);
	uint8_t buffer[IKC_MESSAGE_MAX];
	uint32_t length = text ? message_from_text(buffer, text) : message_from_stdin(buffer);
	struct endpoint endpoint = endpoint_connect(&device, peer, port, SEND_TIMEOUT_MS);

	endpoint_send(&endpoint, peer, port, buffer, length, SEND_TIMEOUT_MS);
	return 0;
}

/* ---- receive ---- */

enum { RECEIVE_COUNT, RECEIVE_TIMEOUT, RECEIVE_JSON };

static void message_print(const struct device *device, const struct endpoint_message *message, bool json)
{
	char name[IKC_NAME_SIZE];

	device_name(device, message->partition, name);
	printf(json ? "{\"from\": \"%s\", \"port\": %u, \"length\": %u, \"data\": " :
		      "from %s port %u, %u bytes: ",
	       name, message->port, message->length);
	word_print_json((const char *)message->data, message->length);
	puts(json ? "}" : "");
	fflush(stdout);
}

int verb_receive(char **words)
{
	static const struct option_rule rules[] = {
		[RECEIVE_COUNT] = { "--count", true },
		[RECEIVE_TIMEOUT] = { "--timeout", true },
		[RECEIVE_JSON] = { "--json", false },
		{ 0 },
	};
	struct options options = options_read(words, rules, "PORT");
	const char *count = options.values[RECEIVE_COUNT];
	const char *timeout = options.values[RECEIVE_TIMEOUT];
	uint16_t port = option_number("PORT", options.operands[0], 1, UINT16_MAX);
	uint64_t left = count ? option_number("--count", count, 1, UINT32_MAX) : 1;
	int timeout_ms = timeout ? (int)option_milliseconds("--timeout", timeout) : ENDPOINT_NO_TIMEOUT;
	struct device device = device_open();
	struct endpoint endpoint = endpoint_listen(&device, port);
	struct endpoint_message message;

	while (left) {
		int error = endpoint_receive(&endpoint, &message, timeout_ms);

		if (error == EAGAIN)
			die(EXIT_FAILED, "no message on port %u within %d ms", port, timeout_ms);
		if (error) {
			fprintf(stderr, "ikcctl: %s\n", endpoint_why(&device, message.partition, error));
			continue;
		}
		message_print(&device, &message, options.values[RECEIVE_JSON]);
		left--;
	}
	return 0;
}
