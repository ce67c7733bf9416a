/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl: looks at the fabric from inside the host partition, and sends and receives on it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device.h"
#include "error.h"
#include "options.h"
#include "verbs.h"

struct verb {
	const char *name;
	int (*run)(char **words);
	const char *usage;
};

static const struct verb verbs[] = {
	{ "status", verb_status, "[--json]                          every partition, and our links" },
	{ "ping", verb_ping, "PEER [-c COUNT] [-i SECONDS] [-W SECONDS] [--json]" },
	{ "log", verb_log, "PEER                              its kernel log, also when it is dead" },
	{ "report", verb_report, "PEER [--json]                     CPUs, memory and distances it found" },
	{ "send", verb_send, "PEER PORT [--text TEXT]           one message; without --text, of stdin" },
	{ "receive", verb_receive, "PORT [--count N] [--timeout SECONDS] [--json]" },
	{ "stream", verb_stream, "PEER --to|--from [--channel] [--by PARTITION] [--count N] [--seed S] [--json]" },
	{ "serve", verb_serve, "                                  echoes, and checks streams, for ever" },
	{ "channels", verb_channels, "[--json]                          those of this partition that are in use" },
	{ "ps", verb_ps, "[PEER] [--json]                   processes of an LWK, or of all that are READY" },
	{ "bench", verb_bench, "PEER KIND [--by PARTITION] [--size N] [--count N] [--cpu N] [--peer-cpu N] [--json]" },
	{ "window", verb_window, "PEER --read ADDRESS LENGTH        its memory, at guest-physical ADDRESS" },
	{ "ready", verb_ready, "                                  tells the monitor that this host is READY" },
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

int verb_ready(char **words)
{
	static const struct option_rule rules[] = { { 0 } };
	struct device device;

	options_read(words, rules, "");
	device = device_open();
	if (ioctl(device.fd, IKC_IOCTL_READY))
		die(EXIT_FAILED, "READY: %s", strerror(errno));
	return 0;
}

static void print_usage(FILE *to)
{
	size_t i;

	fputs("usage: ikcctl VERB ...      PEER: name or number of a partition\n", to);
	for (i = 0; i < VERB_COUNT; i++)
		fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].usage);
	fputs("exit status: 0 done, 1 failed, 2 wrong usage, 3 no /dev/ikc\n", to);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return 0;
	}
	for (i = 0; i < VERB_COUNT; i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argv + 1);
	die(EXIT_USAGE, "no verb \"%s\": `ikcctl help` lists them", argv[1]);
}
