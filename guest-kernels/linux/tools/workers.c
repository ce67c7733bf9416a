/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a proxy. */
#define _GNU_SOURCE
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "facts.h"
#include "file_areas.h"
#include "views.h"

#define NO_SLOT UINT32_MAX
#define WORKER_STACK (256 * 1024)
#define INTERRUPT_SIGNAL SIGRTMAX /* the program's own of that number is not forwarded */

static const struct proxy *proxy;
static enum call_trace tracing;

static int waiting; /* workers that wait for a call, or are about to */
static bool ended;
static uint32_t end_status; /* before `ended` */

/* A worker that makes a call. */
struct making {
	struct making *next;
	pid_t thread;
	uint32_t slot;
	uint32_t life;
};

static pthread_mutex_t making_lock = PTHREAD_MUTEX_INITIALIZER;
static struct making *all_making; /* under it */

/* ---- the end ---- */

__attribute__((noreturn)) static void die_by(int signal_number)
{
	const struct rlimit no_core = { 0, 0 };
	sigset_t only;

	setrlimit(RLIMIT_CORE, &no_core); /* it would be the proxy's */
	sigemptyset(&only);
	sigaddset(&only, signal_number);
	signal(signal_number, SIG_DFL);
	pthread_sigmask(SIG_UNBLOCK, &only, NULL);
	raise(signal_number);
	_exit(128 + signal_number);
}

/* Any worker may be the first to see that the channel is closed; the others are left where they are. */
__attribute__((noreturn)) static void finish(void)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&once);
	if (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE))
		proxy_lost(proxy);
	call_trace_end(tracing, end_status);
	if (WIFSIGNALED(end_status))
		die_by(WTERMSIG(end_status));
	_exit(WEXITSTATUS(end_status));
}

/* ---- calls ---- */

static long call_by_number(uint64_t number, const uint64_t *words)
{
	register uint64_t fourth asm("r10") = words[3];
	register uint64_t fifth asm("r8") = words[4];
	register uint64_t sixth asm("r9") = words[5];
	long result;

	/* not syscall(2): that would keep errno, which is another world's */
	asm volatile("syscall"
		     : "=a"(result)
		     : "a"(number), "D"(words[0]), "S"(words[1]), "d"(words[2]), "r"(fourth), "r"(fifth),
		       "r"(sixth)
		     : "rcx", "r11", "memory");
	return result;
}

static bool is_own(uint64_t fd)
{
	return (uint32_t)fd - (uint32_t)proxy->first_own_fd < PROXY_OWN_FDS;
}

/* The proxy's own files are the last ones: what is before them is closed, and what may be behind. */
static long close_range_around(const uint64_t *words)
{
	uint64_t first = (uint32_t)words[0], last = (uint32_t)words[1];
	uint64_t before[6] = { first, proxy->first_own_fd - 1, words[2] };
	uint64_t behind[6] = { proxy->first_own_fd + PROXY_OWN_FDS, last, words[2] };
	long result = 0;

	if (first > last)
		return -EINVAL;
	if (last < before[1])
		before[1] = last;
	if (first > behind[0])
		behind[0] = first;
	if (before[0] <= before[1])
		result = call_by_number(SYS_close_range, before);
	if (!result && behind[0] <= behind[1])
		result = call_by_number(SYS_close_range, behind);
	return result;
}

/* The program knows nothing of the files that the proxy has for itself. */
static long make_call(uint64_t number, const uint64_t *words)
{
	switch (number) {
	case SYS_close:
	case SYS_dup:
	case SYS_fcntl:
	case SYS_ioctl:
	case SYS_read:
	case SYS_write:
		if (is_own(words[0]))
			return -EBADF;
		break;
	case SYS_dup2:
	case SYS_dup3:
		if (is_own(words[0]) || is_own(words[1]))
			return -EBADF;
		break;
	case SYS_close_range:
		return close_range_around(words);
	}
	return call_by_number(number, words);
}

/* ---- messages ---- */

static void answer_by(uint32_t kind, const struct ikc_process_message *asked, uint64_t number)
{
	struct ikc_process_message reply = {
		.kind = kind,
		.slot = asked->slot,
		.life = asked->life,
		.number = number,
	};

	if (!proxy_send(proxy, &reply))
		finish();
}

static void answer(const struct ikc_process_message *asked, uint64_t number)
{
	answer_by(IKC_PROCESS_RESULT, asked, number);
}

static void begin_making(struct making *making)
{
	pthread_mutex_lock(&making_lock);
	making->next = all_making;
	all_making = making;
	pthread_mutex_unlock(&making_lock);
}

static void end_making(const struct making *making)
{
	struct making **link = &all_making;

	pthread_mutex_lock(&making_lock);
	while (*link != making)
		link = &(*link)->next;
	*link = making->next;
	pthread_mutex_unlock(&making_lock);
}

/* False: that call is over. */
static bool interrupt_once(const struct ikc_process_message *message)
{
	const struct making *making;

	pthread_mutex_lock(&making_lock);
	for (making = all_making; making; making = making->next)
		if (making->slot == message->slot && making->life == message->life)
			break;
	if (making)
		tgkill(getpid(), making->thread, INTERRUPT_SIGNAL);
	pthread_mutex_unlock(&making_lock);
	return making;
}

/* Again and again: the signal may come before the worker is where it can be interrupted, and is lost then. */
static void serve_interrupt(const struct ikc_process_message *message)
{
	useconds_t pause_us = 1000;

	while (interrupt_once(message)) {
		usleep(pause_us);
		pause_us = pause_us < 100000 ? pause_us * 2 : pause_us;
	}
}

static void serve_call(const struct ikc_process_message *message)
{
	struct making making = { .thread = gettid(), .slot = message->slot, .life = message->life };
	uint64_t begin = call_trace_begin(tracing);
	uint64_t facts;
	long result;

	begin_making(&making);
	result = views_call(message, &facts);
	if (result == VIEWS_NOT_OURS)
		result = make_call(message->number, message->words);
	end_making(&making);
	if (result == VIEWS_TELL_FIRST) {
		answer_by(IKC_PROCESS_TELL, message, facts);
		return;
	}
	call_trace_proxy(tracing, message, result, begin);
	answer(message, result);
}

/* All that the program's memory was for is over when the LWK hears of it. */
static void serve_end(const struct ikc_process_message *message)
{
	proxy_zap(proxy, IKC_USER_START, IKC_USER_END - IKC_USER_START);
	end_status = message->words[0];
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
	answer(message, 0);
}

static void serve(const struct ikc_process_message *message)
{
	switch (message->kind) {
	case IKC_PROCESS_CALL:
		serve_call(message);
		break;
	case IKC_PROCESS_ZAP:
		proxy_zap(proxy, message->words[0], message->words[1]);
		if (message->flags & IKC_PROCESS_UNMAPPED)
			file_areas_drop(message->words[0], message->words[1]);
		answer(message, 0);
		break;
	case IKC_PROCESS_INTERRUPT:
		serve_interrupt(message);
		break;
	case IKC_PROCESS_ENDED:
		serve_end(message);
		break;
	default:
		die(EXIT_FAILED, "%s sends a message of kind %u", proxy->partition, message->kind);
	}
}

/* ---- workers ---- */

static void *work(void *unused);

static void add_worker(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, work, NULL);
	pthread_attr_destroy(&attributes);
	/* Without it, calls wait for each other. */
	if (error)
		__atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
}

/* What is only told. True: it is no more than that. */
static bool take_aside(const struct ikc_process_message *message)
{
	if (message->kind == IKC_PROCESS_TRACE)
		call_trace_local(tracing, message);
	else if (message->kind != IKC_PROCESS_FACT)
		return false;
	else if (!facts_add(message))
		die(EXIT_FAILED, "no memory for what %s tells of itself", proxy->partition);
	return true;
}

/* What is told is taken in its order: before anybody takes the next message. */
static bool receive(struct ikc_process_message *message)
{
	static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
	bool received;

	pthread_mutex_lock(&turn);
	while ((received = proxy_receive(proxy, message)) && take_aside(message))
		;
	pthread_mutex_unlock(&turn);
	return received;
}

static void *work(void *unused)
{
	struct ikc_process_message message;

	while (receive(&message)) {
		if (!__atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST))
			add_worker();
		serve(&message);
		__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	}
	finish();
	return unused;
}

/* ---- signals ---- */

/* What is sent to the proxy is meant for the program. */
static void forward(int number, siginfo_t *info, void *unused)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_SIGNAL,
		.slot = NO_SLOT,
		.number = number,
		.words = { (uint32_t)info->si_code, (uint32_t)info->si_pid, info->si_uid },
	};
	int error = errno;

	(void)unused;
	proxy_send(proxy, &message);
	errno = error;
}

/* It is enough that a call is interrupted by it. */
static void interrupted(int number)
{
	(void)number;
}

/* Not those that a program brings upon itself, nor what stops and continues. Ignored ones stay so. */
static void forward_signals(void)
{
	static const int kept[] = { SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV,
				    SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGCHLD, SIGURG, SIGWINCH };
	struct sigaction action = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };
	const struct sigaction interruption = { .sa_handler = interrupted };
	struct sigaction old;
	int number;
	size_t i;

	sigfillset(&action.sa_mask);
	sigaction(INTERRUPT_SIGNAL, &interruption, NULL);
	for (number = 1; number < INTERRUPT_SIGNAL; number++) {
		bool keep = number >= 32 && number < SIGRTMIN; /* the C library's own */

		for (i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
			keep |= kept[i] == number;
		if (!keep && !sigaction(number, NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(number, &action, NULL);
	}
}

void workers_run(const struct proxy *opened, enum call_trace trace)
{
	proxy = opened;
	tracing = trace;
	forward_signals();
	waiting = 1;
	work(NULL);
	abort();
}
