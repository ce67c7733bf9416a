/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands pointers that lead nowhere, or to what is not the program's, to every system call that takes one, and says what
 * came of it. Where memory is that must not be reached it is told on standard input: a line "START-END" each. With a word
 * it does something else: `tell` says what some calls answer, `leave` and `look` are about memory that comes to another program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define SCRATCH (4 * PAGE)
#define MOST_PLACES 64

enum { LOCAL, EITHER, OFFLOAD, REFUSE };

static const struct call {
	const char *name;
	int number;
	int place;
	const char *arguments;
} calls[] = {
#define IKC_SYSCALL(number, name, place, arguments) { #name, number, place, arguments },
#include "ikc_syscalls.def"
#undef IKC_SYSCALL
};

/* What their pointers lead to is not read or written but is what they are about; or they do not come back. */
static const char *const not_in_general[] = {
	"mmap", "mprotect", "brk", "munmap", "mremap", "msync", "mincore", "madvise", "mlock", "munlock", "mlock2",
	"mbind", "clone", "exit", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "futex", "set_tid_address",
	"set_robust_list", "sigaltstack", "rt_sigaction", "rt_sigprocmask", "acct", "reboot",
};

static uint64_t *places; /* not the program's */
static size_t place_count;

static uint8_t *scratch; /* a guard before it and behind it */
static uint8_t *read_only;
static uint8_t *closed; /* PROT_NONE */
static uint8_t *nothing; /* unmapped */

static int wrong;

static bool is_pointer(char kind)
{
	return strchr("psvwoMmk", kind);
}

static bool is_in_general(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(not_in_general) / sizeof(not_in_general[0]); i++)
		if (!strcmp(name, not_in_general[i]))
			return false;
	return true;
}

/* Not errno's way: that would be another function's memory. */
static long call_raw(uint64_t number, const uint64_t *words)
{
	register uint64_t fourth asm("r10") = words[3];
	register uint64_t fifth asm("r8") = words[4];
	register uint64_t sixth asm("r9") = words[5];
	long result;

	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(fourth), "r"(fifth), "r"(sixth)
		     : "rcx", "r11", "memory");
	return result;
}

static void complain(const char *what, const char *name, int at, uint64_t value, long result)
{
	printf("%s: %s, argument %d: 0x%lx gives %ld\n", what, name, at, value, result);
	wrong++;
}

/* ---- what there is ---- */

static uint8_t *get_pages(size_t size, int protection)
{
	uint8_t *got = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (got == MAP_FAILED)
		exit(98);
	return got;
}

static void prepare(void)
{
	uint8_t *all = get_pages(SCRATCH + 6 * PAGE, PROT_READ | PROT_WRITE);

	scratch = all + PAGE;
	read_only = scratch + SCRATCH + PAGE;
	closed = read_only + PAGE;
	nothing = closed + PAGE;
	memset(all, 0x5a, PAGE);
	memset(read_only, 0x5a, PAGE);
	munmap(scratch + SCRATCH, PAGE);
	mprotect(read_only, PAGE, PROT_READ);
	mprotect(closed, PAGE, PROT_NONE);
	munmap(nothing, 2 * PAGE);
}

static void check_that_nothing_else_changed(const char *name)
{
	size_t i;

	for (i = 0; i < PAGE; i++)
		if (scratch[i - PAGE] != 0x5a || read_only[i] != 0x5a) {
			printf("%s: changes memory beside what it was given\n", name);
			wrong++;
			return;
		}
}

/* The kernels' own, what no address may be, and what stdin tells. */
static void read_places(void)
{
	static const uint64_t always[] = { 0x400000000000, 0x400000001000, 0x555555554000, 0x7ffffffff000 - 8,
					   0x7fffffffffff, 0x800000000000, 0xffff800000200000, 0xffff888000000000,
					   0xffffffff81000000, UINT64_MAX - 4095, UINT64_MAX };
	char line[256];

	places = calloc(MOST_PLACES, sizeof(*places));
	for (; place_count < sizeof(always) / sizeof(always[0]); place_count++)
		places[place_count] = always[place_count];
	while (place_count + 2 < MOST_PLACES && fgets(line, sizeof(line), stdin)) {
		char *end;
		uint64_t start = strtoul(line, &end, 16);

		places[place_count++] = start;
		places[place_count++] = strtoul(end + 1, NULL, 16) - 64;
	}
}

/* ---- every call ---- */

static void *wake(void *main_thread)
{
	for (;;) {
		usleep(100000);
		pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	}
	return NULL;
}

static void woken(int number)
{
	(void)number;
}

/* Some calls wait for ever where others fail. */
static void begin_waking(void)
{
	const struct sigaction action = { .sa_handler = woken };
	static pthread_t waker, self;

	self = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	pthread_create(&waker, NULL, wake, &self);
}

/* All numbers are this one: a file, and a small count at the same time. */
static void try_with(const struct call *call, int at, uint64_t value, uint64_t number, bool must_fail)
{
	uint64_t words[6] = { 0 };
	long result;
	int i;

	memset(scratch, 0, 256);
	for (i = 0; call->arguments[i]; i++)
		words[i] = is_pointer(call->arguments[i]) ? (uint64_t)scratch + 512 * i : number;
	words[at] = value;
	result = call_raw(call->number, words);
	if (must_fail && (result >= 0 || result < -4095))
		complain("is taken", call->name, at, value, result);
}

static int open_files(int *files)
{
	int count = 0, pair[2];

	files[count++] = open("/dev/zero", O_RDWR);
	files[count++] = open("/tmp/bad_pointers.file", O_RDWR | O_CREAT, 0600);
	if (!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair)) {
		files[count++] = pair[0];
		files[count++] = pair[1];
	}
	files[count++] = epoll_create1(0);
	files[count++] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	return count;
}

static void try_call(const struct call *call, int at, const int *files, int file_count)
{
	const uint64_t own[] = { 0, 1, (uint64_t)nothing, (uint64_t)closed, (uint64_t)read_only,
				 (uint64_t)scratch + SCRATCH - 1, (uint64_t)nothing - 1 };
	bool looks = call->arguments[at] != 'v'; /* or it may be a number, and any will do */
	size_t i;
	int file;

	for (file = 0; file < file_count; file++) {
		for (i = 0; i < place_count; i++)
			try_with(call, at, places[i], files[file], looks && call->place == OFFLOAD);
		for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			try_with(call, at, own[i], files[file], false);
	}
}

static void try_every_call(void)
{
	size_t i, tried = 0;
	int files[8], file_count = open_files(files), at;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!is_in_general(calls[i].name))
			continue;
		for (at = 0; calls[i].arguments[at]; at++) {
			if (!is_pointer(calls[i].arguments[at]))
				continue;
			try_call(&calls[i], at, files, calls[i].place == OFFLOAD ? file_count : 1);
			tried++;
		}
		check_that_nothing_else_changed(calls[i].name);
	}
	printf("%s\n", tried > 250 ? "every call was tried" : "too few were tried");
}

/* ---- pointers in structures ---- */

static void must_fail(const char *name, uint64_t place, long result)
{
	if (result >= 0)
		complain("in a structure", name, 0, place, result);
}

static void try_structures_with(uint64_t place, const int *pair)
{
	struct iovec bad = { (void *)place, 8 }, good = { scratch, 8 };
	struct mmsghdr many[2] = { 0 };
	struct msghdr *header = &many[1].msg_hdr;
	uint64_t set[2] = { place, 8 };
	struct timespec soon = { 0, 1000000 };
	pid_t self = getpid();

	many[0].msg_hdr = (struct msghdr) { .msg_iov = &good, .msg_iovlen = 1 };
	many[1].msg_hdr = many[0].msg_hdr;
	must_fail("readv", place, readv(open("/dev/zero", O_RDONLY | O_CLOEXEC), &bad, 1));
	must_fail("writev", place, writev(pair[0], &bad, 1));
	must_fail("process_vm_readv, here", place, process_vm_readv(self, &bad, 1, &good, 1, 0));
	must_fail("process_vm_readv, there", place, process_vm_readv(self, &good, 1, &bad, 1, 0));
	must_fail("process_vm_writev, there", place, process_vm_writev(self, &good, 1, &bad, 1, 0));
	must_fail("pselect6", place, syscall(SYS_pselect6, 0, NULL, NULL, NULL, &soon, set));
	header->msg_iov = &bad;
	must_fail("sendmmsg", place, sendmmsg(pair[0], many + 1, 1, 0));
	must_fail("sendmmsg, the second", place, sendmmsg(pair[0], many, 2, MSG_DONTWAIT) - 2);
	must_fail("sendmsg", place, sendmsg(pair[0], header, 0));
	must_fail("recvmmsg", place, recvmmsg(pair[1], many + 1, 1, MSG_DONTWAIT, NULL));
	must_fail("recvmsg", place, recvmsg(pair[1], header, MSG_DONTWAIT));
	header->msg_iov = &good;
	header->msg_control = (void *)place;
	header->msg_controllen = 64;
	must_fail("sendmsg, control", place, sendmsg(pair[0], header, 0));
	while (recv(pair[1], scratch, 8, MSG_DONTWAIT) > 0)
		;
}

static void must_be(const char *name, long result, long expected)
{
	long got = result < 0 ? -errno : result;

	if (got != expected)
		complain("another errno", name, 0, expected, got);
}

/* Each would be read, or written to, if the proxy made the call with it. */
static void try_options_with(uint64_t place, int socket_file)
{
	struct sock_fprog filter = { 1, (void *)place };
	struct ifconf list = { .ifc_len = 1000, .ifc_buf = (void *)place };
	struct ifreq link = { .ifr_name = "lo", .ifr_data = (void *)place };
	struct iovec bad = { (void *)place, 8 };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = (void *)place };
	uint64_t derivation[6] = { (uint64_t)"sha1", place };

	must_be("SO_ATTACH_FILTER", setsockopt(socket_file, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)),
		-EFAULT);
	must_be("SIOCGIFCONF", ioctl(socket_file, SIOCGIFCONF, &list), -EFAULT);
	must_be("SIOCETHTOOL", ioctl(socket_file, SIOCETHTOOL, &link), -EFAULT);
	must_be("KEYCTL_INSTANTIATE_IOV", syscall(SYS_keyctl, 20, 1, &bad, 1, 0), -EFAULT);
	must_be("KEYCTL_INSTANTIATE_IOV, of which Linux sees 1", syscall(SYS_keyctl, 20, 1, &bad, 1ul << 32 | 1, 0), -EFAULT);
	must_be("KEYCTL_DH_COMPUTE", syscall(SYS_keyctl, 23, scratch, scratch, 16, derivation), -EFAULT);
	must_be("mq_notify", syscall(SYS_mq_notify, -1, &event), -EFAULT);
}

/* What is good does what it did. */
static void try_good_options(int socket_file)
{
	struct sock_filter all = { .code = BPF_RET | BPF_K, .k = UINT32_MAX };
	struct sock_fprog filter = { 1, &all };
	struct ifreq links[8];
	struct ifconf list = { .ifc_len = sizeof(links), .ifc_req = links };
	uint8_t window[64] = { 0 };
	socklen_t length = sizeof(window);

	must_be("SO_ATTACH_FILTER", setsockopt(socket_file, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), 0);
	must_be("SIOCGIFCONF", ioctl(socket_file, SIOCGIFCONF, &list), 0);
	if (list.ifc_len < (int)sizeof(links[0]) || strcmp(links[0].ifr_name, "lo"))
		complain("does not list lo", "SIOCGIFCONF", 0, list.ifc_len, 0);
	must_be("TCP_ZEROCOPY_RECEIVE", getsockopt(socket_file, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, window, &length),
		-ENOPROTOOPT);
	must_be("SG_IO", ioctl(socket_file, 0x2285, scratch), -ENOTTY);
}

static void try_options(void)
{
	int socket_file = socket(AF_INET, SOCK_STREAM, 0);
	size_t i;

	for (i = 0; i < place_count; i++)
		try_options_with(places[i], socket_file);
	try_good_options(socket_file);
	check_that_nothing_else_changed("options");
	puts("options were tried");
}

/* ---- memory of a process, by its name and its number ---- */

static bool is_thread_of_proxy(int id)
{
	char path[64], text[512] = "", *group;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/status", id);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		return false;
	close(file);
	group = strstr(text, "Tgid:");
	return group && atoi(group + 5) == getpid();
}

static void try_thread(int id)
{
	struct iovec good = { scratch, 8 };
	char path[64];
	size_t i;

	for (i = 0; i < place_count; i++) {
		struct iovec bad = { (void *)places[i], 8 };

		must_fail("process_vm_readv of a thread", places[i], process_vm_readv(id, &good, 1, &bad, 1, 0));
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", id);
	must_be(path, open(path, O_RDWR), -EACCES);
}

static void try_process(void)
{
	int folder = open("/proc/self", O_PATH), id, found = 0;

	must_be("/proc/self/mem", open("/proc/self/mem", O_RDWR), -EACCES);
	must_be("mem", openat(folder, "mem", O_RDONLY), -EACCES);
	unlink("/tmp/bad_pointers.link");
	must_be("a link", symlink("/proc/thread-self/mem", "/tmp/bad_pointers.link"), 0);
	must_be("by a link", open("/tmp/bad_pointers.link", O_RDWR), -EACCES);
	for (id = getpid() + 1; id < getpid() + 100; id++)
		if (is_thread_of_proxy(id)) {
			try_thread(id);
			found++;
		}
	puts(found ? "the process was tried" : "no other thread of the proxy was found");
}

/* ---- messages come and go as they do ---- */

static void try_good_messages(void)
{
	char control[2][64], text[2][8];
	struct sockaddr_un own = { .sun_family = AF_UNIX, .sun_path = "\0good" }, from[2];
	struct iovec out[2] = { { "left", 4 }, { "right", 5 } }, in[2] = { { text[0], 4 }, { text[1], 8 } };
	struct mmsghdr many[2] = { 0 };
	int one = 1, file = socket(AF_UNIX, SOCK_DGRAM, 0), i;
	const socklen_t length = offsetof(struct sockaddr_un, sun_path) + 5;

	must_be("bind", bind(file, (struct sockaddr *)&own, length), 0);
	must_be("SO_PASSCRED", setsockopt(file, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	for (i = 0; i < 2; i++)
		many[i].msg_hdr = (struct msghdr) { .msg_name = &own, .msg_namelen = length, .msg_iov = out + i, .msg_iovlen = 2 - i };
	must_be("sendmmsg", sendmmsg(file, many, 2, 0), 2);
	must_be("sendmmsg, lengths", many[0].msg_len * 10 + many[1].msg_len, 95);
	for (i = 0; i < 2; i++)
		many[i].msg_hdr = (struct msghdr) { .msg_name = from + i, .msg_namelen = sizeof(from[i]), .msg_iov = in, .msg_iovlen = 2 - i,
						    .msg_control = control[i], .msg_controllen = sizeof(control[i]) };
	must_be("recvmmsg", recvmmsg(file, many, 2, 0, NULL), 2);
	must_be("recvmmsg, lengths", many[0].msg_len * 10 + many[1].msg_len, 94);
	for (i = 0; i < 2; i++) {
		struct cmsghdr *credentials = CMSG_FIRSTHDR(&many[i].msg_hdr);

		must_be("recvmmsg, name", many[i].msg_hdr.msg_namelen, length);
		must_be("recvmmsg, flags", many[i].msg_hdr.msg_flags, i ? MSG_TRUNC : 0);
		must_be("recvmmsg, control", credentials && credentials->cmsg_type == SCM_CREDENTIALS, 1);
	}
	if (memcmp(text[1], "right", 5))
		complain("came as something else", "recvmmsg", 0, 0, 0);
	close(file);
}

/* ---- pointers that change after they were looked at ---- */

static struct iovec changing;
static volatile bool changes;

static void *change(void *place)
{
	while (changes) {
		changing.iov_base = place;
		asm volatile("" ::: "memory");
		changing.iov_base = scratch;
		asm volatile("" ::: "memory");
	}
	return NULL;
}

/* Either all is refused, or what is written is the program's. */
static void try_changing_with(uint64_t place, int *pair)
{
	struct msghdr header = { .msg_iov = &changing, .msg_iovlen = 1 };
	char got[8];
	int round;

	for (round = 0; round < 500; round++) {
		struct mmsghdr one = { .msg_hdr = header };
		long sent = -1;

		switch (round % 3) {
		case 0:
			sent = writev(pair[0], &changing, 1);
			break;
		case 1:
			sent = sendmsg(pair[0], &header, 0);
			break;
		case 2:
			sent = sendmmsg(pair[0], &one, 1, 0);
			break;
		}

		if (sent < 0)
			continue;
		if (recv(pair[1], got, sizeof(got), 0) != sizeof(got) || memcmp(got, "scratch!", sizeof(got))) {
			complain("was sent", "writev, sendmsg or sendmmsg", round % 3, place, sent);
			return;
		}
	}
}

static void try_changing(void)
{
	pthread_t thread;
	int pair[2];
	size_t i;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		exit(98);
	memcpy(scratch, "scratch!", 8);
	for (i = 0; i < place_count; i++) {
		changing = (struct iovec) { scratch, 8 };
		changes = true;
		pthread_create(&thread, NULL, change, (void *)places[i]);
		try_changing_with(places[i], pair);
		changes = false;
		pthread_join(thread, NULL);
	}
	puts("changing ones were tried");
}

static void try_structures(void)
{
	int pair[2];
	size_t i;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		exit(98);
	for (i = 0; i < place_count; i++)
		try_structures_with(places[i], pair);
	for (i = 0; i < place_count; i++)
		must_fail("prctl, PR_SET_MM", places[i], prctl(PR_SET_MM, PR_SET_MM_START_BRK, places[i], 0, 0));
	check_that_nothing_else_changed("structures");
	puts("structures were tried");
}

/* ---- calls that are about memory, and about how a program goes on ---- */

static void try_ranges(void)
{
	size_t i;

	for (i = 0; i < place_count; i++) {
		void *place = (void *)(places[i] & ~(PAGE - 1));

		must_fail("munmap", places[i], munmap(place, PAGE));
		must_fail("mprotect", places[i], mprotect(place, PAGE, PROT_READ | PROT_WRITE));
		must_fail("mremap", places[i], (long)mremap(place, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
		must_fail("madvise", places[i], madvise(place, PAGE, MADV_DONTNEED));
		must_fail("mlock", places[i], mlock(place, PAGE));
		must_fail("mincore", places[i], mincore(place, PAGE, scratch));
		must_fail("mincore to", places[i], mincore(scratch, PAGE, (void *)places[i]));
		must_fail("mmap", places[i], (long)mmap(place, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		must_fail("futex", places[i], syscall(SYS_futex, places[i] & ~3ul, 0, 0, NULL));
		must_fail("futex, a time", places[i], syscall(SYS_futex, scratch, 0, 0, places[i]));
		must_fail("arch_prctl, to", places[i], syscall(SYS_arch_prctl, 0x1003, places[i]));
		must_fail("rt_sigaction", places[i], syscall(SYS_rt_sigaction, SIGUSR2, places[i], NULL, 8));
		must_fail("rt_sigaction, old", places[i], syscall(SYS_rt_sigaction, SIGUSR2, NULL, places[i], 8));
		must_fail("rt_sigprocmask", places[i], syscall(SYS_rt_sigprocmask, 0, places[i], NULL, 8));
		must_fail("rt_sigtimedwait", places[i], syscall(SYS_rt_sigtimedwait, places[i], NULL, NULL, 8));
		must_fail("sigaltstack", places[i], syscall(SYS_sigaltstack, places[i], NULL));
		if (places[i] >= 0x800000000000)
			must_fail("arch_prctl", places[i], syscall(SYS_arch_prctl, 0x1002, places[i]));
	}
	puts("ranges were tried");
}

/* A length that leads beyond the end of what can be, or around it. */
static void try_lengths(void)
{
	static const uint64_t lengths[] = { UINT64_MAX, UINT64_MAX - 4095, 1ul << 63, 1ul << 47, 0x400000000000 };
	char *end = (char *)scratch + SCRATCH;
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint64_t length = lengths[i];
		struct iovec vector = { end - 16, length };

		must_fail("munmap, length", length, munmap(scratch, length));
		must_fail("mprotect, length", length, mprotect(scratch, length, PROT_NONE));
		must_fail("madvise, length", length, madvise(scratch, length, MADV_DONTNEED));
		must_fail("mlock, length", length, mlock(scratch, length));
		must_fail("mremap, length", length, (long)mremap(scratch, PAGE, length, MREMAP_MAYMOVE));
		must_fail("mremap, old length", length, (long)mremap(scratch, length, PAGE, MREMAP_MAYMOVE));
		must_fail("mincore, length", length, mincore(scratch, length, (unsigned char *)end - 16));
		/* as much as there is, or nothing */
		if (read(zero, end - 16, length) > 16)
			complain("too much", "read", 2, length, 0);
		if (readv(zero, &vector, 1) > 16)
			complain("too much", "readv", 2, length, 0);
		if (syscall(SYS_getrandom, end - 16, length, 0) > 16)
			complain("too much", "getrandom", 1, length, 0);
		write(null, end - 16, length); /* reads nothing of it */
	}
	check_that_nothing_else_changed("lengths");
	puts("lengths were tried");
}

/* Linux looks at the low half of a number: the other must not hide a call from the LWK. */
static void try_numbers(void)
{
	static const int refused[] = { SYS_fork, SYS_vfork, SYS_clone3, SYS_execve, SYS_ptrace, SYS_seccomp, SYS_unshare };
	static const uint64_t hiding[] = { 1ul << 32, 1ul << 63, 0xffffffff00000000, 0x40000000 };
	const uint64_t words[6] = { 0 };
	size_t i, j;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		for (j = 0; j < sizeof(hiding) / sizeof(hiding[0]); j++) {
			long result = call_raw(hiding[j] | refused[i], words);

			if (result != -ENOSYS)
				complain("is not refused", "number", refused[i], hiding[j], result);
		}
	must_be("getpid", call_raw(1ul << 32 | SYS_getpid, words), getpid());
	for (i = 451; i < 600; i++)
		if (call_raw(i, words) != -ENOSYS)
			complain("is not refused", "number", i, 0, 0);
	puts("numbers were tried");
}

/* What would keep pages after the call is refused, however it is asked for. */
static void try_to_lend(void)
{
	int one = 1, file = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t words[6] = { file, SOL_SOCKET, SO_ZEROCOPY, (uint64_t)&one, sizeof(one) };

	must_be("setsockopt", setsockopt(file, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)), -EOPNOTSUPP);
	words[1] |= 1ul << 32;
	if (call_raw(SYS_setsockopt, words) != -EOPNOTSUPP)
		complain("is not refused", "setsockopt", 1, words[1], 0);
	must_be("vmsplice", syscall(SYS_vmsplice, 1, NULL, 0, 0), -ENOSYS);
	must_be("io_setup", syscall(SYS_io_setup, 1, scratch), -ENOSYS);
	puts("lending was tried");
}

/* ---- told as it is, to be compared with Linux ---- */

static void say(const char *name, int which, long result)
{
	printf("%s, %d: %ld %s\n", name, which, result, result < 0 ? strerrorname_np(errno) : "");
}

static void tell_all(void)
{
	void *bad[] = { NULL, (void *)1, nothing, closed, read_only, (void *)0xffff888000000000, (void *)UINT64_MAX,
			(void *)0x7fffffffffff, nothing - 1 };
	int zero = open("/dev/zero", O_RDONLY), file, ends[2], epoll = epoll_create1(0), timer, pair[2];
	struct pollfd entry;
	int i;

	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	file = open("/tmp/bad_pointers.file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || write(ends[1], "x", 1) != 1)
		exit(98);
	entry = (struct pollfd) { .fd = ends[0], .events = POLLIN };
	for (i = 0; i < (int)(sizeof(bad) / sizeof(bad[0])); i++) {
		struct iovec vector = { bad[i], 16 };
		struct msghdr header = { .msg_iov = &vector, .msg_iovlen = 1 };

		say("read", i, read(zero, bad[i], 16));
		say("pread", i, pread(zero, bad[i], 16, 0));
		say("readv", i, readv(zero, &vector, 1));
		say("readv of", i, syscall(SYS_readv, zero, bad[i], 1));
		say("sendmsg", i, sendmsg(pair[0], &header, MSG_DONTWAIT) > 0);
		say("sendmsg of", i, syscall(SYS_sendmsg, pair[0], bad[i], 0));
		say("getsockname", i, syscall(SYS_getsockname, pair[0], bad[i], bad[i]));
		say("stat", i, syscall(SYS_newfstatat, AT_FDCWD, "/", bad[i], 0));
		say("stat of", i, syscall(SYS_newfstatat, AT_FDCWD, bad[i], scratch, 0));
		say("getcwd", i, syscall(SYS_getcwd, bad[i], 100));
		say("uname", i, syscall(SYS_uname, bad[i]));
		say("getrandom", i, syscall(SYS_getrandom, bad[i], 16, 0));
		say("clock_gettime", i, syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad[i]));
		say("getrusage", i, syscall(SYS_getrusage, 0, bad[i]));
		say("nanosleep", i, syscall(SYS_nanosleep, bad[i], NULL));
		say("epoll_ctl", i, syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, timer, bad[i]) < 0);
		syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, timer, NULL);
		say("timerfd_gettime", i, syscall(SYS_timerfd_gettime, timer, bad[i]));
		say("ioctl", i, syscall(SYS_ioctl, ends[0], 0x541b, bad[i])); /* FIONREAD */
		say("statx", i, syscall(SYS_statx, AT_FDCWD, "/", 0, 0x7ff, bad[i]));
		say("readlink", i, syscall(SYS_readlink, "/proc/self/exe", bad[i], 16) > 0);
		say("symlink", i, syscall(SYS_symlink, bad[i], "/tmp/bad_pointers.link"));
		unlink("/tmp/bad_pointers.link");
		say("getdents", i, syscall(SYS_getdents64, open("/", O_RDONLY), bad[i], 4096) > 0);
		say("poll", i, syscall(SYS_poll, bad[i], 1, 0));
		say("mincore", i, syscall(SYS_mincore, scratch, PAGE, bad[i]));
		say("rt_sigaction", i, syscall(SYS_rt_sigaction, SIGUSR2, NULL, bad[i], 8));
		say("sched_getaffinity", i, syscall(SYS_sched_getaffinity, 0, 128, bad[i]) > 0);
	}
	say("poll with a good one", 0, poll(&entry, 1, 0));
	close(file);
}

/* ---- what another program has left ---- */

#define MOST_MEMORY (128ul << 20)

static int leave_behind(void)
{
	memset(get_pages(MOST_MEMORY, PROT_READ | PROT_WRITE), 0xa5, MOST_MEMORY);
	return 0;
}

static int look_for_what_is_left(void)
{
	const uint64_t *got = (uint64_t *)get_pages(MOST_MEMORY, PROT_READ | PROT_WRITE);
	size_t i;

	for (i = 0; i < MOST_MEMORY / sizeof(*got); i++)
		if (got[i])
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	prepare();
	if (argc > 1 && !strcmp(argv[1], "leave"))
		return leave_behind();
	if (argc > 1 && !strcmp(argv[1], "look"))
		return look_for_what_is_left();
	if (argc > 1 && !strcmp(argv[1], "tell")) {
		tell_all();
		return 0;
	}
	read_places();
	begin_waking();
	try_every_call();
	try_structures();
	try_options();
	try_process();
	try_good_messages();
	try_changing();
	try_ranges();
	try_lengths();
	try_numbers();
	try_to_lend();
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
