/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that are sent to a proxy. */
#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "everywhere.h"
#include "raw_call.h"
#include "raw_signal.h"

#define NO_SLOT UINT32_MAX

static const struct proxy *proxy;
static uint64_t blocked; /* those that wait to be forwarded: a bit each */

__thread uint32_t signals_slot = NO_SLOT;

/* Held from when a signal is taken until it is sent. */
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static uint64_t continued; /* SIGCONTs that were sent; under it */

static uint64_t bit_of(int number)
{
	return 1ull << (number - 1);
}

/* ---- one by one ---- */

static void forward(int number, const siginfo_t *info, uint32_t slot)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_SIGNAL,
		.slot = slot,
		.number = number,
		.words = { (uint32_t)info->si_code, (uint32_t)info->si_pid, info->si_uid,
			   (uintptr_t)info->si_value.sival_ptr },
	};

	proxy_send(proxy, &message);
}

/* 0, or a negative number: there is none. */
static int take(siginfo_t *info)
{
	static const struct timespec at_once;
	const uint64_t words[6] = { (uintptr_t)&blocked, (uintptr_t)info, (uintptr_t)&at_once, sizeof(blocked) };

	return raw_call(SYS_rt_sigtimedwait, words);
}

/* With the lock. */
static void forward_all(void)
{
	siginfo_t info;
	int number;

	while ((number = take(&info)) > 0) {
		continued += number == SIGCONT;
		forward(number, &info, NO_SLOT);
	}
}

void signals_forward(void)
{
	pthread_mutex_lock(&order);
	forward_all();
	pthread_mutex_unlock(&order);
}

long signals_stop(uint64_t continued_before)
{
	pthread_mutex_lock(&order);
	do
		forward_all();
	while (continued == continued_before && ioctl(proxy->channel, IKC_IOCTL_STOP) && errno == EINTR);
	pthread_mutex_unlock(&order);
	return 0;
}

/* ---- from the beginning ---- */

/* One that the call of this thread has brought about is for the program's thread that made it. Others may have sent it too. */
static void forward_own(int number, siginfo_t *info, void *unused)
{
	int error = errno;

	(void)unused;
	forward(number, info, info->si_pid == getpid() ? signals_slot : NO_SLOT);
	errno = error;
}

/* Not those that a program brings upon itself, nor what its terminal stops it by; 32 and 33 are a C library's own. */
static bool is_forwarded(int number)
{
	static const int kept[] = { 32,	    33,	    SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS,
				    SIGILL, SIGFPE, SIGTRAP, SIGSYS,  SIGCHLD, SIGURG,	SIGWINCH };
	size_t i;

	for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (kept[i] == number)
			return false;
	return true;
}

/* Linux sends them to the very thread that writes. */
static bool is_of_a_call(int number)
{
	return number == SIGPIPE || number == SIGXFSZ;
}

/* Ignored ones stay so, and those stay blocked that whoever began this process has blocked. */
void signals_begin(const struct proxy *opened)
{
	const struct raw_action action = raw_action_of(forward_own, SA_SIGINFO | SA_RESTART);
	struct raw_action old;
	uint64_t before;
	int number;

	proxy = opened;
	raw_sigprocmask(SIG_BLOCK, ~0ull, &before); /* none comes while an ignored one has the handler */
	for (number = 1; number < EVERYWHERE_SIGNAL; number++) { /* that one and the next are the workers' own */
		if (!is_forwarded(number) || raw_sigaction(number, &action, &old))
			continue;
		if ((void *)old.handler == (void *)SIG_IGN)
			raw_sigaction(number, &old, NULL);
		else if (!is_of_a_call(number))
			blocked |= bit_of(number) & ~before;
	}
	if (ioctl(proxy->channel, IKC_IOCTL_SIGNALS, &blocked))
		die(EXIT_FAILED, "the channel to %s: SIGNALS: %s", proxy->partition, strerror(errno));
	raw_sigprocmask(SIG_SETMASK, before | blocked, NULL);
}
