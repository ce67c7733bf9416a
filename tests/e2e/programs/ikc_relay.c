// SPDX-License-Identifier: Apache-2.0
/*
 * In the host partition: makes LWKs talk to each other. `ikc_relay report VIA TO COUNT SEED` asks VIA for a
 * stream to TO and prints what that reported; `ikc_relay begin ...` ends when a thousand messages have gone
 * over a channel of those two, and leaves the stream to itself.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <fcntl.h>

#include "ikc_stream.h"
#include "ikc_uapi.h"

#define WAIT_MS 60000
#define LOOKS 600000
#define FLOWS 1000 /* messages */

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int ask(int fd, __u32 via, const struct ikc_stream_request *request)
{
	struct ikc_address address = { .partition = via, .port = IKC_PORT_STREAM };
	struct ikc_transfer transfer = {
		.address = address,
		.length = sizeof(*request),
		.buffer = (uintptr_t)request,
	};

	return ioctl(fd, IKC_IOCTL_CONNECT, &address) || ioctl(fd, IKC_IOCTL_SEND, &transfer);
}

static int print_report(int fd)
{
	struct ikc_stream_report report;
	struct ikc_transfer transfer = { .length = sizeof(report), .buffer = (uintptr_t)&report };
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	if (poll(&entry, 1, WAIT_MS) != 1)
		return fail("no report");
	if (ioctl(fd, IKC_IOCTL_RECEIVE, &transfer) || transfer.length != sizeof(report) ||
	    report.kind != IKC_STREAM_REPORT)
		return fail("no report, but something else");
	printf("%u messages, fault %u\n", report.received, report.fault);
	return 0;
}

static uint64_t sent_over_channels(const struct ikc_half *half)
{
	uint64_t sent = 0;
	int i;

	for (i = 0; i < IKC_CHANNELS; i++)
		sent += ikc_load(&half->channels[i].sent);
	return sent;
}

static int wait_for_flow(int fd, const struct ikc_half *half, uint64_t before)
{
	struct pollfd entry = { .fd = fd, .events = POLLIN };
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		if (sent_over_channels(half) - before >= FLOWS)
			return 0;
		if (poll(&entry, 1, 1))
			return fail("the stream is over already");
	}
	return fail("nothing flows");
}

static const struct ikc_half *half_of(int fd, __u32 from, __u32 to)
{
	struct ikc_info info;
	struct ikc_map map;
	void *region;

	if (ioctl(fd, IKC_IOCTL_INFO, &info))
		return NULL;
	region = mmap(NULL, info.region_size, PROT_READ, MAP_SHARED, fd, 0);
	if (region == MAP_FAILED || ikc_map_region(&map, region, info.region_size))
		return NULL;
	return ikc_half_at(&map, from, to);
}

int main(int argc, char **argv)
{
	struct ikc_stream_request request = { .kind = IKC_STREAM_RELAY };
	const struct ikc_half *half;
	uint64_t before;
	__u32 via;
	int fd;

	if (argc != 6)
		return 2;
	via = strtoul(argv[2], NULL, 0);
	request.partition = strtoul(argv[3], NULL, 0);
	request.count = strtoul(argv[4], NULL, 0);
	request.seed = strtoul(argv[5], NULL, 0);
	fd = open("/dev/ikc", O_RDWR);
	half = fd < 0 ? NULL : half_of(fd, via, request.partition);
	if (!half)
		return fail("/dev/ikc");
	before = sent_over_channels(half);
	if (ask(fd, via, &request))
		return fail("cannot ask");
	return strcmp(argv[1], "begin") ? print_report(fd) : wait_for_flow(fd, half, before);
}
