// SPDX-License-Identifier: Apache-2.0
/*
 * In the host partition: orders a measurement. `ikc_order VIA KIND PARTITION SIZE COUNT OWN_CPU PEER_CPU`
 * prints what VIA found (ikc_bench.h).
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "ikc_bench.h"
#include "ikc_uapi.h"

#define WAIT_MS 60000

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int ask(int fd, __u32 via, const struct ikc_bench_order *order)
{
	struct ikc_address address = { .partition = via, .port = IKC_PORT_BENCH };
	struct ikc_transfer transfer = {
		.address = address,
		.length = sizeof(*order),
		.buffer = (uintptr_t)order,
	};

	return ioctl(fd, IKC_IOCTL_CONNECT, &address) || ioctl(fd, IKC_IOCTL_SEND, &transfer);
}

static int print_result(int fd)
{
	struct ikc_bench_result result;
	struct ikc_transfer transfer = { .length = sizeof(result), .buffer = (uintptr_t)&result };
	struct pollfd entry = { .fd = fd, .events = POLLIN };

	if (poll(&entry, 1, WAIT_MS) != 1)
		return fail("no result");
	if (ioctl(fd, IKC_IOCTL_RECEIVE, &transfer) || transfer.length != sizeof(result))
		return fail("no result, but something else");
	printf("kind %u, %s, %llu ns\n", result.kind, ikc_bench_fault_word(result.fault),
	       (unsigned long long)result.ns);
	return 0;
}

int main(int argc, char **argv)
{
	__u32 numbers[8];
	int i, fd = open("/dev/ikc", O_RDWR);

	if (argc != 8 || fd < 0)
		return fail("seven numbers, and /dev/ikc");
	for (i = 1; i < 8; i++)
		numbers[i] = strtoul(argv[i], NULL, 0);
	if (ask(fd, numbers[1],
		&(struct ikc_bench_order){
			.kind = numbers[2],
			.partition = numbers[3],
			.size = numbers[4],
			.count = numbers[5],
			.own_cpu = numbers[6],
			.peer_cpu = numbers[7],
		}))
		return fail("cannot ask");
	return print_result(fd);
}
