/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl ping: round trips on the control ring, measured by the kernel. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "endpoint.h"
#include "error.h"
#include "options.h"
#include "verbs.h"

#define PING_COUNT_MAX 1000000

struct ping_run {
	struct device device;
	char peer_name[IKC_NAME_SIZE];
	uint32_t peer;
	uint32_t count;
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t answered;
	uint64_t *times_ns; /* of those answered */
};

enum { PING_COUNT, PING_INTERVAL, PING_TIMEOUT, PING_JSON };

static const struct option_rule ping_rules[] = {
	[PING_COUNT] = { "-c", true },
	[PING_INTERVAL] = { "-i", true },
	[PING_TIMEOUT] = { "-W", true },
	[PING_JSON] = { "--json", false },
	{ 0 },
};

static void ping_once(struct ping_run *run, uint32_t number, bool quiet)
{
	struct ikc_round_trip trip = { .partition = run->peer, .timeout_ms = run->timeout_ms };

	if (ioctl(run->device.fd, IKC_IOCTL_PING, &trip)) {
		fprintf(stderr, "ikcctl: ping %u: %s\n", number,
			endpoint_why(&run->device, run->peer, errno));
		return;
	}
	run->times_ns[run->answered++] = trip.round_trip_ns;
	if (!quiet)
		printf("%s answered ping %u in %.1f us\n", run->peer_name, number,
		       trip.round_trip_ns / 1e3);
}

static int ping_compare(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void ping_print(struct ping_run *run, bool json)
{
	uint64_t *times = run->times_ns;
	uint32_t n = run->answered;
	double sum = 0, median;
	uint32_t i;

	if (json)
		printf("{\"peer\": \"%s\", \"sent\": %u, \"answered\": %u", run->peer_name, run->count, n);
	else
		printf("%u sent, %u answered", run->count, n);
	if (n) {
		qsort(times, n, sizeof(*times), ping_compare);
		for (i = 0; i < n; i++)
			sum += times[i];
		median = (times[(n - 1) / 2] + times[n / 2]) / 2.0;
		printf(json ? ", \"min_us\": %.1f, \"avg_us\": %.1f, \"median_us\": %.1f, \"max_us\": %.1f" :
			      "; min/avg/median/max %.1f/%.1f/%.1f/%.1f us",
		       times[0] / 1e3, sum / n / 1e3, median / 1e3, times[n - 1] / 1e3);
	}
	puts(json ? "}" : "");
}

static void ping_pause(uint32_t ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

int verb_ping(char **words)
{
	struct options options = options_read(words, ping_rules, "PEER");
	const char *count = options.values[PING_COUNT];
	const char *interval = options.values[PING_INTERVAL];
	const char *timeout = options.values[PING_TIMEOUT];
	bool json = options.values[PING_JSON];
	struct ping_run run = { 0 };
	uint32_t i;

	run.count = count ? option_number("-c", count, 1, PING_COUNT_MAX) : 5;
	run.interval_ms = interval ? option_milliseconds("-i", interval) : 200;
	run.timeout_ms = timeout ? option_milliseconds("-W", timeout) : 2000;
	run.device = device_open();
	run.peer = device_find_peer(&run.device, options.operands[0]);
	device_name(&run.device, run.peer, run.peer_name);
	run.times_ns = calloc(run.count, sizeof(*run.times_ns));
	if (!run.times_ns)
		die(EXIT_FAILED, "no memory for %u times", run.count);

	endpoint_wait_for_link(&run.device, run.peer, run.timeout_ms);
	for (i = 0; i < run.count; i++) {
		if (i)
			ping_pause(run.interval_ms);
		ping_once(&run, i, json);
	}
	ping_print(&run, json);
	free(run.times_ns);
	return run.answered == run.count ? 0 : EXIT_FAILED;
}
