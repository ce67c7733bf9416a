/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a signal reaches that is sent to a process whose threads all wait, each in another way. Its argument is who does not
 * block it: first, others, all, waiter. Or it is pipe. Each must say the same on Linux and on an LWK.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 100
#define WAYS 4 /* the first thread has the first one */
#define LOOKS 20000 /* a millisecond each, and not a time: a computer may stand still meanwhile */

static int never[2];
static sigset_t one;
static atomic_int threads[WAYS + 1], interrupted[WAYS], handled, taken, broken;

/* ---- who waits ---- */

static long read_what_never_comes(void)
{
	char byte;

	return read(never[0], &byte, 1);
}

static long wait_for_a_futex(void)
{
	static uint32_t word;

	return syscall(SYS_futex, &word, 0, 0, NULL);
}

static long sleep_for_long(void)
{
	const struct timespec long_time = { 1000, 0 };

	return syscall(SYS_nanosleep, &long_time, NULL);
}

static long poll_for_ever(void)
{
	struct pollfd entry = { .fd = never[0], .events = POLLIN };

	return poll(&entry, 1, -1);
}

static void *wait_in_a_way(void *number)
{
	static long (*const ways[WAYS])(void) = { read_what_never_comes, wait_for_a_futex, sleep_for_long, poll_for_ever };
	uintptr_t way = (uintptr_t)number;

	threads[way] = gettid();
	for (;;)
		if (ways[way]() == -1 && errno == EINTR)
			interrupted[way]++;
		else
			broken++;
	return NULL;
}

/* Which is blocked for it as well. */
static void *wait_for_the_signal(void *unused)
{
	(void)unused;
	threads[WAYS] = gettid();
	for (;;)
		taken += sigwaitinfo(&one, NULL) == SIGUSR1;
	return NULL;
}

static void handle(int number)
{
	(void)number;
	handled++;
}

/* ---- who sends ---- */

static int looks; /* of this round */

static void look_again(const char *what)
{
	usleep(1000);
	if (++looks < LOOKS)
		return;
	puts(what);
	exit(1);
}

static bool waits(int thread)
{
	char path[64], text[256] = "";
	int file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) < 0)
		exit(98);
	close(file);
	return strstr(text, ") S ");
}

static void wait_until_all_wait(int count)
{
	int i;

	for (i = 0; i < count; i++)
		while (!threads[i] || !waits(threads[i]))
			look_again("not all threads wait");
}

static int all_interrupted(void)
{
	int i, sum = 0;

	for (i = 0; i < WAYS; i++)
		sum += interrupted[i];
	return sum;
}

/* On an LWK, the second by way of Linux. */
static void send_one(int round)
{
	const union sigval nothing = { 0 };

	if (round % 2 ? kill(getpid(), SIGUSR1) : sigqueue(getpid(), SIGUSR1, nothing))
		exit(98);
}

static void *send(void *count)
{
	int round;

	for (round = 1; round <= ROUNDS; round++) {
		looks = 0;
		wait_until_all_wait((uintptr_t)count);
		send_one(round);
		while (handled + taken < round)
			look_again("the signal did not come");
	}
	wait_until_all_wait((uintptr_t)count);
	printf("%d handled, %d taken, %d interrupted, the first thread %d times; %d calls ended by themselves\n", handled,
	       taken, all_interrupted(), interrupted[0], broken);
	exit(0);
}

static void begin(void *(*what)(void *), uintptr_t argument, bool blocks)
{
	pthread_t thread;

	pthread_sigmask(blocks ? SIG_BLOCK : SIG_UNBLOCK, &one, NULL);
	if (pthread_create(&thread, NULL, what, (void *)argument))
		exit(98);
}

static int reach(bool first, bool others, bool waiter)
{
	const struct sigaction action = { .sa_handler = handle };
	uintptr_t i;

	if (pipe(never) || sigaction(SIGUSR1, &action, NULL))
		return 98;
	for (i = 1; i < WAYS; i++)
		begin(wait_in_a_way, i, !others);
	if (waiter)
		begin(wait_for_the_signal, 0, true);
	begin(send, WAYS + waiter, true);
	pthread_sigmask(first ? SIG_UNBLOCK : SIG_BLOCK, &one, NULL);
	wait_in_a_way(0);
	return 99;
}

/* ---- one that is for the thread alone that wrote ---- */

static void *write_to_nobody(void *unused)
{
	const struct timespec at_once = { 0, 0 };
	long result;

	(void)unused;
	sigaddset(&one, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &one, NULL);
	close(never[0]);
	result = write(never[1], "", 1);
	printf("write: %s; then it is there: %d\n", result < 0 ? strerrorname_np(errno) : "done",
	       sigtimedwait(&one, NULL, &at_once) == SIGPIPE);
	return NULL;
}

/* The first thread does not block it, and would die. */
static int break_a_pipe(void)
{
	pthread_t thread;

	if (pipe(never) || pthread_create(&thread, NULL, write_to_nobody, NULL))
		return 98;
	return pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	const char *who = argc > 1 ? argv[1] : "";

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	if (!strcmp(who, "pipe"))
		return break_a_pipe();
	return reach(!strcmp(who, "first") || !strcmp(who, "all"), !strcmp(who, "others") || !strcmp(who, "all"),
		     !strcmp(who, "waiter"));
}
