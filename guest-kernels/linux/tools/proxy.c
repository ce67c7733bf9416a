/* SPDX-License-Identifier: Apache-2.0 */
/* This process as the proxy of a process on an LWK. */
#define _GNU_SOURCE
#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "error.h"
#include "hot.h"
#include "raw_call.h"

#define OPEN_TIMEOUT_MS 10000
#define NO_SLOT UINT32_MAX

void proxy_lost(const struct proxy *proxy)
{
	switch (errno) {
	case ENETRESET:
		die(EXIT_FAILED, "%s has ended or begun anew, and the process with it", proxy->partition);
	case EPIPE:
		die(EXIT_FAILED, "%s has given up the process", proxy->partition);
	case ENODEV:
		die(EXIT_FAILED, "ikc.ko goes away, and the process on %s with it", proxy->partition);
	default:
		die(EXIT_FAILED, "the channel to %s: %s", proxy->partition, strerror(errno));
	}
}

bool proxy_send(const struct proxy *proxy, const struct ikc_process_message *message)
{
	ssize_t sent;

	do
		sent = write(proxy->channel, message, sizeof(*message));
	while (sent < 0 && errno == EINTR);
	return sent == sizeof(*message);
}

/* As long as its kind is. */
static bool is_whole(ssize_t got, const struct ikc_process_message *message)
{
	bool may_be_short = message->kind == IKC_PROCESS_CALL || message->kind == IKC_PROCESS_ZAP;
	bool is_short = got == IKC_PROCESS_SHORT && may_be_short;

	if (got >= 0 && got != sizeof(*message) && !is_short) {
		errno = EPROTO;
		return false;
	}
	return got > 0;
}

bool proxy_receive(const struct proxy *proxy, struct ikc_process_message *message)
{
	ssize_t got;

	do
		got = read(proxy->channel, message, sizeof(*message));
	while (got < 0 && errno == EINTR);
	return is_whole(got, message);
}

HOT bool proxy_turn(const struct proxy *proxy, struct ikc_turn *turn)
{
	const uint64_t words[6] = { proxy->channel, IKC_IOCTL_TURN, (uintptr_t)turn };
	long length = raw_call(SYS_ioctl, words);

	if (length < 0)
		errno = -length;
	return is_whole(length, proxy_turn_message(turn));
}

/* Asked, and not sent yet. */
static struct {
	struct ikc_process_message all[IKC_MESSAGE_MAX / sizeof(struct ikc_process_message)];
	uint32_t count;
} questions;

/* All together: each doorbell costs as much as making what they ask for. */
static void send_questions(const struct proxy *proxy)
{
	uint32_t done = 0;

	while (done < questions.count) {
		struct ikc_several several = {
			.messages = (uintptr_t)(questions.all + done),
			.length = sizeof(questions.all[0]),
			.count = questions.count - done,
		};
		int sent = ioctl(proxy->channel, IKC_IOCTL_SEVERAL, &several);

		if (sent < 0 && errno != EINTR)
			proxy_lost(proxy);
		done += sent < 0 ? 0 : sent;
	}
	questions.count = 0;
}

void proxy_ask(const struct proxy *proxy, const struct ikc_process_message *message)
{
	if (questions.count == sizeof(questions.all) / sizeof(questions.all[0]))
		send_questions(proxy);
	questions.all[questions.count] = *message;
	questions.all[questions.count++].slot = NO_SLOT;
}

int64_t proxy_take_answer(const struct proxy *proxy, struct ikc_process_message *answer)
{
	send_questions(proxy);
	if (!proxy_receive(proxy, answer))
		proxy_lost(proxy);
	if (answer->kind != IKC_PROCESS_RESULT)
		die(EXIT_FAILED, "%s answers by a message of kind %u", proxy->partition, answer->kind);
	return answer->number;
}

int64_t proxy_exchange(const struct proxy *proxy, struct ikc_process_message *message)
{
	proxy_ask(proxy, message);
	return proxy_take_answer(proxy, message);
}

void proxy_zap(const struct proxy *proxy, uint64_t start, uint64_t length)
{
	struct ikc_range range = { start, length };

	if (ioctl(proxy->space, IKC_IOCTL_ZAP, &range))
		die(EXIT_FAILED, "memory of %s: %s", proxy->partition, strerror(errno));
}

void proxy_end(const struct proxy *proxy)
{
	if (ioctl(proxy->space, IKC_IOCTL_END))
		die(EXIT_FAILED, "memory of %s: %s", proxy->partition, strerror(errno));
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void ask_to_create(const struct proxy *proxy, const struct proxy_wishes *wishes)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_CREATE,
		.words = { IKC_PROCESS_VERSION, getpid(), clock_ns(CLOCK_REALTIME), clock_ns(CLOCK_MONOTONIC),
			   wishes->traces ? IKC_PROCESS_TRACES : 0, wishes->look_ns },
	};

	strncpy((char *)&message.words[6], wishes->name, IKC_PROCESS_NAME_SIZE - 1);
	proxy_ask(proxy, &message);
}

/* Returns where its page table is. */
static uint64_t take_created(const struct proxy *proxy)
{
	struct ikc_process_message answer;
	int64_t result = proxy_take_answer(proxy, &answer);

	if (result == -ENOMEM)
		die(EXIT_FAILED, "%s has no memory for a process", proxy->partition);
	if (result == -EPROTO)
		die(EXIT_FAILED, "the LWK of %s is of another version: restart it", proxy->partition);
	if (result)
		die(EXIT_FAILED, "%s makes no process: %s", proxy->partition, strerror(-result));
	return answer.words[0];
}

static int open_space(const struct proxy *proxy, uint64_t root)
{
	struct ikc_space_open open_space = { .root = root };
	char path[sizeof("/dev/ikc-window-") + IKC_NAME_SIZE];
	int window, space;

	snprintf(path, sizeof(path), "/dev/ikc-window-%s", proxy->partition);
	window = open(path, O_RDWR | O_CLOEXEC);
	if (window < 0)
		die(EXIT_ENVIRONMENT, "%s: %s: programs run on LWKs whose memory this partition sees", path,
		    strerror(errno));
	space = ioctl(window, IKC_IOCTL_SPACE, &open_space);
	if (space < 0)
		die(EXIT_FAILED, "%s: %s", path, strerror(errno));
	close(window);
	return space;
}

static void map_space(const struct proxy *proxy)
{
	void *start = (void *)IKC_USER_START;

	if (mmap(start, IKC_USER_END - IKC_USER_START, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, proxy->space, IKC_USER_START) != start)
		die(EXIT_FAILED, "memory of %s: %s", proxy->partition, strerror(errno));
}

/*
 * The last descriptors there may be: the program's first own file is to have the number that it has on Linux. The space's is
 * closed before the channel's, in whatever way this process ends: the driver then lets go of the memory before the LWK hears.
 */
static void move_files(struct proxy *proxy)
{
	struct rlimit limit = { 1024, 1024 };
	int channel = proxy->channel, space = proxy->space;

	getrlimit(RLIMIT_NOFILE, &limit);
	proxy->first_own_fd = limit.rlim_cur - PROXY_OWN_FDS;
	proxy->space = dup3(space, proxy->first_own_fd, O_CLOEXEC);
	proxy->channel = dup3(channel, proxy->first_own_fd + 1, O_CLOEXEC);
	if (proxy->channel < 0 || proxy->space < 0)
		die(EXIT_FAILED, "descriptors from %d on: %s", proxy->first_own_fd, strerror(errno));
	close(channel);
	close(space);
}

/* A channel to the LWK, of no process yet. */
static struct proxy connect_to(const struct device *device, const char *partition)
{
	uint32_t peer = device_find_peer(device, partition);
	struct proxy proxy = { 0 };

	device_name(device, peer, proxy.partition);
	if (device_partition(device, peer)->identity.kernel_kind != IKC_KERNEL_LWK)
		die(EXIT_USAGE, "%s runs no LWK: programs are started there by other means", proxy.partition);
	proxy.channel = channel_open(device, peer, IKC_PORT_PROCESS, IKC_PROCESS_MAGIC,
				     sizeof(struct ikc_process_message), OPEN_TIMEOUT_MS).fd;
	if (fcntl(proxy.channel, F_SETFL, O_RDWR))
		die(EXIT_FAILED, "the channel to %s: %s", proxy.partition, strerror(errno));
	return proxy;
}

void proxy_look(const struct proxy *proxy, uint64_t ns)
{
	if (ioctl(proxy->channel, IKC_IOCTL_SPIN, &ns))
		die(EXIT_FAILED, "the channel to %s: SPIN: %s", proxy->partition, strerror(errno));
}

struct proxy proxy_open(const struct proxy_wishes *wishes)
{
	struct device device = device_open();
	struct proxy proxy = connect_to(&device, wishes->partition);

	close(device.fd);
	proxy_look(&proxy, IKC_PROCESS_BEGINNING_LOOKS * wishes->look_ns);
	ask_to_create(&proxy, wishes);
	return proxy;
}

void proxy_take_process(struct proxy *proxy)
{
	proxy->space = open_space(proxy, take_created(proxy));
	move_files(proxy);
	map_space(proxy);
}

void proxy_tell_memory(const char *partition)
{
	struct device device = device_open();
	struct proxy proxy = connect_to(&device, partition);
	struct ikc_process_message message = { .kind = IKC_PROCESS_PAGES };
	int node;

	proxy_exchange(&proxy, &message);
	printf("%llu processes, %llu of %llu pages free, by node:", (unsigned long long)message.number,
	       (unsigned long long)message.words[0], (unsigned long long)message.words[1]);
	for (node = 0; node < IKC_PROCESS_NODES; node++)
		printf(" %llu", (unsigned long long)message.words[2 + node]);
	putchar('\n');
}
