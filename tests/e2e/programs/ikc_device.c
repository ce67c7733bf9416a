// SPDX-License-Identifier: Apache-2.0
/*
 * In the host partition: does /dev/ikc keep what guest-kernels/linux/include/ikc_uapi.h promises? `ikc_device
 * TEST PEER` runs one test against the LWK with that number, and prints what was not as it should be.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "ikc_stream.h"
#include "ikc_uapi.h"

#define WAIT_MS 10000
#define STUCK_MS 500
#define NOBODYS_PORT 999
#define WINDOW_AT 0x8000000 /* in the middle of an LWK of 256 MiB: nothing of it is used there */
#define WINDOW_SIZE (1 << 20)

static __u32 peer;
/* ---- the device in short ---- */

static int endpoint(void)
{
	int fd = open("/dev/ikc", O_RDWR | O_NONBLOCK);

	check(fd >= 0);
	return fd;
}

static int bind_port(int fd, __u16 *port)
{
	struct ikc_address address = { .port = *port };
	int result = ioctl(fd, IKC_IOCTL_BIND, &address);

	*port = address.port;
	return result;
}

static int connect_to(int fd, __u32 partition, __u16 port)
{
	struct ikc_address address = { .partition = partition, .port = port };

	return ioctl(fd, IKC_IOCTL_CONNECT, &address);
}

static int send_to(int fd, __u32 partition, __u16 port, const void *data, __u32 length)
{
	struct ikc_transfer transfer = {
		.address = { .partition = partition, .port = port },
		.length = length,
		.buffer = (uintptr_t)data,
	};

	return ioctl(fd, IKC_IOCTL_SEND, &transfer);
}

/* The length, which is set also when the message is too long, in *length. */
static int receive(int fd, void *buffer, __u32 room, __u32 *length)
{
	struct ikc_transfer transfer = { .length = room, .buffer = (uintptr_t)buffer };
	int result = ioctl(fd, IKC_IOCTL_RECEIVE, &transfer);

	*length = transfer.length;
	return result;
}

static int events(int fd, short wanted, int timeout_ms)
{
	struct pollfd entry = { .fd = fd, .events = wanted };

	poll(&entry, 1, timeout_ms);
	return entry.revents;
}

static int ping(int fd, __u32 partition)
{
	struct ikc_round_trip trip = { .partition = partition, .timeout_ms = WAIT_MS };

	return ioctl(fd, IKC_IOCTL_PING, &trip);
}

/* ---- tests ---- */

static void test_ports(void)
{
	__u16 port = 300, ephemeral = 0;
	int first = endpoint(), second = endpoint();

	check(!bind_port(first, &port));
	check_fails(bind_port(first, &port), EINVAL);
	check_fails(bind_port(second, &port), EADDRINUSE);
	check(!bind_port(second, &ephemeral) && ephemeral >= IKC_PORT_FIRST_EPHEMERAL);
	close(first);
	first = endpoint();
	check(!bind_port(first, &port)); /* free again */
	close(first);
	close(second);
}

static void test_addresses(void)
{
	int fd = endpoint();
	struct ikc_info info;
	char byte = 0;

	check(!ioctl(fd, IKC_IOCTL_INFO, &info));
	check_fails(connect_to(fd, info.own_id, 1), EHOSTUNREACH);
	check_fails(connect_to(fd, info.partition_count, 1), EHOSTUNREACH);
	check_fails(ping(fd, info.own_id), EHOSTUNREACH);
	check_fails(send_to(fd, info.monitor_id, 1, &byte, 1), EHOSTUNREACH);
	check_fails(send_to(fd, peer, 0, &byte, 1), EDESTADDRREQ);
	check_fails(send_to(fd, peer, 1, &byte, IKC_MESSAGE_MAX + 1), EMSGSIZE);
	check_fails(send_to(fd, peer, 1, (void *)1, 1), EFAULT);
	check(!connect_to(fd, peer, IKC_PORT_ECHO));
	check_fails(connect_to(fd, peer, IKC_PORT_ECHO), EISCONN);
	check_fails(send_to(fd, peer, IKC_PORT_ECHO + 1, &byte, 1), EISCONN);
	check_fails(ioctl(fd, _IO(IKC_IOCTL, 99)), ENOTTY);
	close(fd);
}

static void test_echo(void)
{
	static const __u32 lengths[] = { 0, 1, IKC_SLOT_DATA, IKC_SLOT_DATA + 1, IKC_MESSAGE_MAX };
	char sent[IKC_MESSAGE_MAX], received[IKC_MESSAGE_MAX];
	int fd = endpoint();
	__u32 length;
	size_t i;

	memset(sent, 0x5a, sizeof(sent));
	check(!connect_to(fd, peer, IKC_PORT_ECHO));
	check(events(fd, POLLOUT, WAIT_MS) == POLLOUT);
	check_fails(receive(fd, received, sizeof(received), &length), EAGAIN);
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		check(!send_to(fd, peer, IKC_PORT_ECHO, sent, lengths[i]));
		check(events(fd, POLLIN, WAIT_MS) == POLLIN);
		if (lengths[i]) {
			check_fails(receive(fd, received, lengths[i] - 1, &length), EMSGSIZE);
			check(length == lengths[i]); /* and it is still there */
		}
		check(!receive(fd, received, sizeof(received), &length));
		check(length == lengths[i] && !memcmp(sent, received, length));
	}
	close(fd);
}

static void test_refusal(void)
{
	int fd = endpoint();
	__u32 length;
	char byte = 0;

	check(!connect_to(fd, peer, NOBODYS_PORT));
	check(!send_to(fd, peer, NOBODYS_PORT, &byte, 1));
	check(events(fd, POLLIN, WAIT_MS) == (POLLIN | POLLERR));
	check_fails(receive(fd, &byte, 1, &length), ECONNREFUSED);
	check_fails(receive(fd, &byte, 1, &length), EAGAIN); /* told once */
	check(!send_to(fd, peer, NOBODYS_PORT, &byte, 1));
	check(events(fd, POLLIN, WAIT_MS) == (POLLIN | POLLERR));
	check_fails(send_to(fd, peer, NOBODYS_PORT, &byte, 1), ECONNREFUSED);
	close(fd);
}

/* What is still sent to an endpoint that is gone is refused, and counted. */
static void test_close(void)
{
	struct ikc_stream_request request = { .kind = IKC_STREAM_SOURCE, .seed = 1, .count = 2000 };
	int fd = endpoint(), other = endpoint(), tries;
	const uint64_t *refused;
	struct ikc_info info;
	struct ikc_map map;
	uint64_t before;
	void *region;

	check(!ioctl(other, IKC_IOCTL_INFO, &info));
	region = mmap(NULL, info.region_size, PROT_READ, MAP_SHARED, other, 0);
	check(!ikc_map_region(&map, region, info.region_size));
	refused = &ikc_half_at(&map, info.own_id, peer)->counters.refused;
	before = ikc_load(refused);
	check(!connect_to(fd, peer, IKC_PORT_STREAM));
	check(!send_to(fd, peer, IKC_PORT_STREAM, &request, sizeof(request)));
	check(events(fd, POLLIN, WAIT_MS) == POLLIN);
	close(fd);
	for (tries = 0; tries < 1000 && ikc_load(refused) == before; tries++)
		check(!ping(other, peer));
	check(ikc_load(refused) > before);
	close(other);
}

/* One that does not read stops what is sent to it, and nothing that was sent is lost. */
static void test_back_pressure(void)
{
	static __u32 message[IKC_MESSAGE_MAX / sizeof(__u32)];
	__u32 sent = 0, received = 0, length;
	int fd = endpoint(), other = endpoint();

	check(!connect_to(fd, peer, IKC_PORT_ECHO));
	while (events(fd, POLLOUT, STUCK_MS) & POLLOUT) {
		message[0] = sent;
		if (!send_to(fd, peer, IKC_PORT_ECHO, message, sizeof(message)))
			sent++;
	}
	check(sent > 64); /* more than the rings hold: the endpoint's queue is full too */
	check_fails(send_to(fd, peer, IKC_PORT_ECHO, message, sizeof(message)), EAGAIN);
	check(!ping(other, peer)); /* control goes past it */
	while (received < sent && events(fd, POLLIN, WAIT_MS) & POLLIN) {
		check(!receive(fd, message, sizeof(message), &length));
		check(message[0] == received);
		received++;
	}
	check(received == sent);
	close(fd);
	close(other);
}

/* The peer is restarted while this waits; the caller does that when it reads the line. */
static void test_reset(void)
{
	struct ikc_transfer transfer = { 0 };
	int fd = endpoint(), ready;
	__u32 length;
	char byte = 0;

	check(!connect_to(fd, peer, IKC_PORT_ECHO));
	check(!send_to(fd, peer, IKC_PORT_ECHO, &byte, 1));
	check(events(fd, POLLIN, WAIT_MS) == POLLIN);
	check(!receive(fd, &byte, 1, &length));
	puts("restart it now");
	fflush(stdout);
	ready = events(fd, POLLIN, 6 * WAIT_MS);
	check(ready & POLLERR);
	check_fails(ioctl(fd, IKC_IOCTL_RECEIVE, &transfer), ENETRESET);
	check(transfer.address.partition == peer);
	check_fails(receive(fd, &byte, 1, &length), EAGAIN); /* told once */
	check(events(fd, POLLOUT, 6 * WAIT_MS) == POLLOUT);  /* the new life */
	check(!send_to(fd, peer, IKC_PORT_ECHO, &byte, 1));
	check(events(fd, POLLIN, WAIT_MS) == POLLIN);
	close(fd);
}

static void test_region_is_read_only(void)
{
	int fd = endpoint();
	struct ikc_info info;
	void *region;

	check(!ioctl(fd, IKC_IOCTL_INFO, &info));
	check(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, info.region_size) == MAP_FAILED && errno == EINVAL);
	region = mmap(NULL, info.region_size, PROT_READ, MAP_SHARED, fd, 0);
	check(region != MAP_FAILED && *(__u32 *)region == IKC_MAGIC);
	check_fails(mprotect(region, 4096, PROT_READ | PROT_WRITE), EACCES);
	close(fd);
}

/* The kernel does I/O on a window's pages: on what is mapped plainly it could not. */
static void test_window(const char *path)
{
	int fd = open(path, O_RDWR), pipes[2], file;
	char *window = mmap(NULL, WINDOW_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, WINDOW_AT);
	char text[16] = "";
	struct iovec here = { text, sizeof(text) }, there = { window, sizeof(text) };

	check(window != MAP_FAILED && !pipe(pipes));
	if (failures)
		return;
	strcpy(window, "in a window");
	check(process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof(text) && !strcmp(text, window));
	check(vmsplice(pipes[1], &there, 1, 0) == sizeof(text));
	memset(text, 0, sizeof(text));
	check(read(pipes[0], text, sizeof(text)) == sizeof(text) && !strcmp(text, window));
	file = open("/proc/self/exe", O_RDONLY);
	check(read(file, window, WINDOW_SIZE) > 4 && !memcmp(window, "\177ELF", 4));
	check(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, WINDOW_AT) == MAP_FAILED && errno == EINVAL);
	check(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1ULL << 40) == MAP_FAILED && errno == ENXIO);
	close(fd);
}

/* ---- which ---- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "ports", test_ports },
	{ "addresses", test_addresses },
	{ "echo", test_echo },
	{ "refusal", test_refusal },
	{ "close", test_close },
	{ "back-pressure", test_back_pressure },
	{ "reset", test_reset },
	{ "read-only", test_region_is_read_only },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3)
		return 2;
	if (!strcmp(argv[1], "window")) {
		test_window(argv[2]);
		return failures != 0;
	}
	peer = strtoul(argv[2], NULL, 10);
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(argv[1], tests[i].name)) {
			tests[i].run();
			return failures != 0;
		}
	return 2;
}
