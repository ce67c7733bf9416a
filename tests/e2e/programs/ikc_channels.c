// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the host partition: do channels keep what guest-kernels/linux/include/ikc_uapi.h promises? `ikc_channels
 * TEST PEER` runs one test against the LWK with that number, and prints what was not as it should be.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "ikc_bench.h"
#include "ikc_stream.h"
#include "ikc_uapi.h"

#define WAIT_MS 10000
#define ECHO_MAGIC 0x4f484345
#define NOBODYS_PORT 999
#define OPEN_MAX (IKC_CHANNELS / 2) /* that one end may open */
#define PROGRAMS 200
#define AT_ONCE 500

static __u32 peer;
static int device;

static int open_with(struct ikc_open *open)
{
	return ioctl(device, IKC_IOCTL_OPEN, open) ? -1 : open->fd;
}

static struct ikc_open terms(__u16 port, __u32 magic, __u32 packet_size)
{
	return (struct ikc_open) {
		.address = { .partition = peer, .port = port },
		.magic = magic,
		.packet_size = packet_size,
		.timeout_ms = WAIT_MS,
	};
}

static int open_echo(void)
{
	struct ikc_open open = terms(IKC_PORT_ECHO, ECHO_MAGIC, IKC_MESSAGE_MAX);

	return open_with(&open);
}

/* An end that was closed is free when the peer has seen it: until then all may be in use. */
static int open_echo_waiting(void)
{
	int fd, tries;

	for (tries = 0; tries < WAIT_MS; tries++) {
		fd = open_echo();
		if (fd >= 0 || errno != EBUSY)
			return fd;
		usleep(1000);
	}
	return fd;
}

static bool echoes(int fd, const void *data, size_t length)
{
	char *back = malloc(IKC_POOL_SIZE);
	bool same = write(fd, data, length) == (ssize_t)length &&
		    read(fd, back, IKC_POOL_SIZE) == (ssize_t)length && !memcmp(back, data, length);

	free(back);
	return same;
}

static int events(int fd, short wanted, int timeout_ms)
{
	struct pollfd entry = { .fd = fd, .events = wanted };

	poll(&entry, 1, timeout_ms);
	return entry.revents;
}

/* ---- tests ---- */

static void test_messages(void)
{
	char text[IKC_MESSAGE_MAX], small[4];
	int fd = open_echo(), length = -1;

	memset(text, 'x', sizeof(text));
	check(fd >= 0);
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	check(events(fd, POLLIN | POLLOUT, WAIT_MS) == POLLOUT);
	check(!ioctl(fd, FIONREAD, &length) && length == 0);
	check(echoes(fd, "", 0));
	check(echoes(fd, "one", 3));
	check(echoes(fd, text, sizeof(text)));
	check(write(fd, text, 100) == 100);
	check(events(fd, POLLIN, WAIT_MS) & POLLIN);
	check(!ioctl(fd, FIONREAD, &length) && length == 100);
	check_fails(read(fd, small, sizeof(small)), EMSGSIZE); /* and it stays */
	check(read(fd, text, sizeof(text)) == 100);
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	check_fails(read(fd, text, sizeof(text)), EAGAIN);
	check_fails(read(fd, (void *)8, sizeof(text)), EAGAIN);
	check_fails(write(fd, (void *)8, 4), EFAULT);
	check_fails(ioctl(fd, IKC_IOCTL_INFO, text), ENOTTY);
	close(fd);
}

static void test_lent(void)
{
	static char large[IKC_POOL_SIZE + 1];
	int fd = open_echo();
	size_t i, length;

	for (i = 0; i < sizeof(large); i++)
		large[i] = i * 7 + (i >> 12);
	check_fails(write(fd, large, sizeof(large)), EMSGSIZE);
	for (length = IKC_MESSAGE_MAX + 1; length <= IKC_POOL_SIZE; length *= 3)
		check(echoes(fd, large, length));
	for (i = 0; i < 40; i++) /* far more than the pool has */
		check(echoes(fd, large + i, IKC_POOL_SIZE / 2 - 64 * i));
	check(echoes(fd, large, IKC_POOL_SIZE));
	check_fails(write(fd, (void *)8, 5000), EFAULT);
	check(echoes(fd, large, IKC_POOL_SIZE)); /* its pages were given back */
	close(fd);
}

static void check_refused(struct ikc_open open, __u32 refusal)
{
	check_fails(open_with(&open), ECONNREFUSED);
	check(open.refusal == refusal);
}

static void test_refusals(void)
{
	struct ikc_open bad = terms(IKC_PORT_ECHO, ECHO_MAGIC, IKC_MESSAGE_MAX + 1);

	check_fails(open_with(&bad), EINVAL);
	bad = terms(0, ECHO_MAGIC, 64);
	check_fails(open_with(&bad), EINVAL);
	bad = terms(IKC_PORT_ECHO, ECHO_MAGIC, IKC_MESSAGE_MAX);
	bad.address.partition = 60;
	check_fails(open_with(&bad), EHOSTUNREACH);
	check_refused(terms(NOBODYS_PORT, ECHO_MAGIC, IKC_MESSAGE_MAX), IKC_REFUSAL_PORT);
	check_refused(terms(IKC_PORT_ECHO, ECHO_MAGIC + 1, IKC_MESSAGE_MAX), IKC_REFUSAL_MAGIC);
	check_refused(terms(IKC_PORT_ECHO, ECHO_MAGIC, IKC_MESSAGE_MAX - 1), IKC_REFUSAL_PACKET_SIZE);
}

static void test_all_in_use(void)
{
	int fds[OPEN_MAX], i, lives;

	for (lives = 0; lives < 3; lives++) {
		for (i = 0; i < OPEN_MAX; i++) {
			fds[i] = open_echo_waiting();
			check(fds[i] >= 0);
		}
		check_fails(open_echo(), EBUSY);
		for (i = 0; i < OPEN_MAX; i++)
			check(echoes(fds[i], &i, sizeof(i)));
		for (i = 0; i < OPEN_MAX; i++)
			close(fds[i]);
	}
}

/* The peer, if it is slow, finds it closed when it has not seen it open yet. */
static void test_closed_at_once(void)
{
	int i;

	for (i = 0; i < AT_ONCE; i++)
		close(open_echo_waiting());
	test_all_in_use();
}

static void test_port_of_two(void)
{
	struct ikc_listen listen = { .port = 300, .magic = 1, .packet_size = 64 };
	int other = open("/dev/ikc", O_RDWR | O_NONBLOCK);
	struct ikc_open accepted = { 0 };

	check_fails(ioctl(other, IKC_IOCTL_ACCEPT, &accepted), EINVAL);
	check(!ioctl(device, IKC_IOCTL_LISTEN, &listen));
	check_fails(ioctl(other, IKC_IOCTL_LISTEN, &listen), EADDRINUSE);
	listen.port = 301;
	check_fails(ioctl(device, IKC_IOCTL_LISTEN, &listen), EINVAL);
	listen.packet_size = IKC_MESSAGE_MAX + 1;
	check_fails(ioctl(other, IKC_IOCTL_LISTEN, &listen), EINVAL);
	listen.packet_size = 64;
	check(!ioctl(other, IKC_IOCTL_LISTEN, &listen));
	check_fails(ioctl(other, IKC_IOCTL_ACCEPT, &accepted), EAGAIN);
	check(events(other, POLLIN, 0) == 0);
	close(other);
}

static void test_cpus(void)
{
	__u32 cpu;
	int fd = open_echo(), other = open_echo();
	__u64 spin = 100000;

	for (cpu = 0; cpu < (__u32)sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		check(!ioctl(fd, IKC_IOCTL_SERVE, &cpu));
		check(echoes(fd, &cpu, sizeof(cpu)) && echoes(other, &cpu, sizeof(cpu)));
	}
	cpu = 4000;
	check_fails(ioctl(fd, IKC_IOCTL_SERVE, &cpu), EINVAL);
	check(!ioctl(fd, IKC_IOCTL_SPIN, &spin) && echoes(fd, "spun", 4));
	spin = ~0ULL;
	check_fails(ioctl(fd, IKC_IOCTL_SPIN, &spin), EINVAL);
}

/* Says READY on its pipe, and echoes until it is killed. */
static void program(int ready)
{
	struct ikc_address address = { 0 };
	int fd = open("/dev/ikc", O_RDWR);

	check(fd >= 0 && !ioctl(fd, IKC_IOCTL_BIND, &address));
	if (open_echo() < 0)
		check(errno == EBUSY);
	check(write(ready, "", 1) == 1);
	pause();
	_exit(failures);
}

/* All at once, each with a port, as many as can with a channel; killed, they leave nothing behind. */
static void test_many_programs(void)
{
	pid_t children[PROGRAMS];
	int pipes[2], i;
	char byte;

	check(!pipe(pipes));
	for (i = 0; i < PROGRAMS; i++) {
		children[i] = fork();
		if (!children[i])
			program(pipes[1]);
	}
	for (i = 0; i < PROGRAMS; i++)
		check(read(pipes[0], &byte, 1) == 1);
	check_fails(open_echo(), EBUSY);
	for (i = 0; i < PROGRAMS; i++)
		kill(children[i], SIGKILL);
	for (i = 0; i < PROGRAMS; i++)
		waitpid(children[i], NULL, 0);
	test_all_in_use();
}

/* The restart of the peer is told to each of its channels, and for good. */
static void test_reset(void)
{
	int fd = open_echo(), other = open_echo();
	char byte;

	check(echoes(fd, "before", 6));
	puts("restart it now");
	fflush(stdout);
	check_fails(read(fd, &byte, 1), ENETRESET);
	check_fails(read(fd, &byte, 1), ENETRESET);
	check_fails(write(other, "x", 1), ENETRESET);
	check(events(other, POLLIN | POLLOUT, 0) & POLLHUP);
	close(fd);
	close(other);
}

/* ---- which ---- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "messages", test_messages },
	{ "lent", test_lent },
	{ "refusals", test_refusals },
	{ "all-in-use", test_all_in_use },
	{ "closed-at-once", test_closed_at_once },
	{ "port-of-two", test_port_of_two },
	{ "cpus", test_cpus },
	{ "many-programs", test_many_programs },
	{ "reset", test_reset },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3)
		return 2;
	peer = strtoul(argv[2], NULL, 10);
	device = open("/dev/ikc", O_RDWR | O_CLOEXEC);
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(argv[1], tests[i].name)) {
			tests[i].run();
			return failures != 0;
		}
	return 2;
}
