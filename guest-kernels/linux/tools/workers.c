/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a proxy. */
#define _GNU_SOURCE
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "everywhere.h"
#include "facts.h"
#include "file_areas.h"
#include "hot.h"
#include "own_memory.h"
#include "raw_call.h"
#include "raw_signal.h"
#include "signals.h"
#include "stops.h"
#include "structures.h"
#include "views.h"

#define WORKER_STACK (256 * 1024)
#define INTERRUPT_SIGNAL SIGRTMAX /* it and EVERYWHERE_SIGNAL are not forwarded */

static const struct proxy *proxy;
static enum call_trace tracing;
static uint64_t look_ns;

static int waiting; /* workers that wait for a call, or are about to */
static int workers = 1;
static bool ended;
static uint32_t end_status; /* before `ended` */

struct worker {
	struct worker *next;
	pid_t thread;
	uint64_t call; /* that it makes, as call_word() has it; 0: none; CALL_HELD: who interrupts it is not done yet */
};

#define CALL_MADE 1ull
#define CALL_HELD 2ull

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct worker *all; /* under it; none ever leaves */

static uint32_t answered[IKC_PROCESS_THREADS]; /* the life of each slot's last question that is over */

/* ---- the end ---- */

__attribute__((noreturn)) static void die_by(int signal_number)
{
	const struct raw_action as_by_default = { 0 };
	const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core); /* it would be the proxy's */
	raw_sigaction(signal_number, &as_by_default, NULL);
	raw_sigprocmask(SIG_UNBLOCK, 1ull << (signal_number - 1) % 64, NULL);
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

/* ---- others ---- */

static void *work(void *first);

static void add_worker(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&workers, 1, __ATOMIC_RELAXED);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = everywhere_create(&thread, &attributes, work);
	pthread_attr_destroy(&attributes);
	/* Without it, calls wait for each other. */
	if (error)
		__atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
}

/* Nobody waits for the next message, and this worker has seen to nobody yet. */
static __thread bool is_last;

/* What this worker is about to do may take its time. A thread is dear to begin and to end: not before. */
HOT static void have_another_wait(void)
{
	if (is_last)
		add_worker();
	is_last = false;
}

/* ---- calls ---- */

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
		result = raw_call(SYS_close_range, before);
	if (!result && behind[0] <= behind[1])
		result = raw_call(SYS_close_range, behind);
	return result;
}

static long open_file(uint64_t number, const uint64_t *words)
{
	long file = raw_call(number, words);

	if (file < 0 || !own_memory_is(file))
		return file;
	close(file);
	return -EACCES;
}

/* The program knows nothing of the files and the threads that the proxy has for itself. */
HOT static long make_call(uint64_t number, const uint64_t *words)
{
	long result;

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
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
	case SYS_creat:
		return open_file(number, words);
	case SYS_kill:
		if ((pid_t)words[0] == getpid()) /* the LWK asks, which knows what else this signal is about */
			return signals_stop(words[2]);
		break;
	case SYS_setsockopt: /* Linux would send pages from where they are, when they are another program's */
		if ((uint32_t)words[1] == SOL_SOCKET && (uint32_t)words[2] == SO_ZEROCOPY)
			return -EOPNOTSUPP;
		break;
	}
	if (structures_call(number, words, &result))
		return result;
	return everywhere_is_meant(number, words) ? everywhere_call(number, words) : raw_call(number, words);
}

/* ---- messages ---- */

/* Slots are few. */
static uint64_t call_word(const struct ikc_process_message *message)
{
	return (uint64_t)message->life << 32 | (uint64_t)message->slot << 2 | CALL_MADE;
}

static void begin_call(struct worker *worker, const struct ikc_process_message *message)
{
	signals_slot = message->slot;
	ikc_store_ordered(&worker->call, call_word(message));
}

/* A signal that is for this call is not to come in another one. */
static void end_call(struct worker *worker)
{
	uint64_t call;

	do
		call = __atomic_load_n(&worker->call, __ATOMIC_RELAXED) & ~CALL_HELD;
	while (!__atomic_compare_exchange_n(&worker->call, &call, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

/* False: it does not make that call. */
static bool interrupt_worker(struct worker *worker, const struct ikc_process_message *message)
{
	uint64_t call = call_word(message);

	if (!__atomic_compare_exchange_n(&worker->call, &call, call | CALL_HELD, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED))
		return false;
	syscall(SYS_tgkill, getpid(), worker->thread, INTERRUPT_SIGNAL);
	__atomic_and_fetch(&worker->call, ~CALL_HELD, __ATOMIC_SEQ_CST);
	return true;
}

static void interrupt_once(const struct ikc_process_message *message)
{
	struct worker *worker;

	pthread_mutex_lock(&all_lock);
	worker = all;
	pthread_mutex_unlock(&all_lock);
	while (worker && !interrupt_worker(worker, message))
		worker = worker->next;
}

static bool is_over(const struct ikc_process_message *message)
{
	return message->slot >= IKC_PROCESS_THREADS ||
	       (int32_t)(__atomic_load_n(&answered[message->slot], __ATOMIC_RELAXED) - message->life) >= 0;
}

static void note_answer(const struct ikc_process_message *message)
{
	if (message->slot < IKC_PROCESS_THREADS)
		__atomic_store_n(&answered[message->slot], message->life, __ATOMIC_RELAXED);
}

/*
 * Again and again: the worker that has taken the call may not have begun it, and a signal that comes before it is where it can
 * be interrupted is lost.
 */
static void serve_interrupt(const struct ikc_process_message *message)
{
	useconds_t pause_us = 1000;

	while (!is_over(message)) {
		interrupt_once(message);
		usleep(pause_us);
		pause_us = pause_us < 100000 ? pause_us * 2 : pause_us;
	}
}

/* It waits for nobody, whatever the program does. */
static bool is_brief(uint64_t number, const uint64_t *words)
{
	return number == SYS_getrandom && words[2] & GRND_NONBLOCK;
}

/* Returns the kind of the answer. */
HOT static uint32_t serve_call(struct worker *worker, const struct ikc_process_message *message, long *result)
{
	uint64_t begin = tracing ? call_trace_begin() : 0;
	uint64_t facts;

	begin_call(worker, message);
	*result = views_call(message, &facts);
	if (*result == VIEWS_NOT_OURS) {
		if (!is_brief(message->number, message->words))
			have_another_wait();
		*result = make_call(message->number, message->words);
	}
	end_call(worker);
	if (*result == VIEWS_TELL_FIRST) {
		*result = facts;
		return IKC_PROCESS_TELL;
	}
	if (tracing)
		call_trace_proxy(tracing, message, *result, begin);
	return IKC_PROCESS_RESULT;
}

/* Nothing is left of the process. */
__attribute__((noreturn)) static void serve_gone(void)
{
	errno = EPROTO; /* before ENDED it means nothing */
	finish();
}

/* All that the program's memory was for is over when the LWK hears of it. */
static void serve_end(const struct ikc_process_message *message)
{
	proxy_end(proxy);
	end_status = message->words[0];
	__atomic_store_n(&ended, true, __ATOMIC_RELEASE);
}

/* True: *message is the answer now. */
HOT static bool serve(struct worker *worker, struct ikc_process_message *message)
{
	uint32_t kind = IKC_PROCESS_RESULT;
	long result = 0;

	switch (message->kind) {
	case IKC_PROCESS_CALL:
		kind = serve_call(worker, message, &result);
		break;
	case IKC_PROCESS_ZAP:
		if (__atomic_load_n(&workers, __ATOMIC_RELAXED) > 1) /* else nobody has got hold of a page */
			have_another_wait();
		proxy_zap(proxy, message->words[0], message->words[1]);
		if (message->flags & IKC_PROCESS_UNMAPPED)
			file_areas_drop(message->words[0], message->words[1]);
		break;
	case IKC_PROCESS_INTERRUPT:
		have_another_wait();
		serve_interrupt(message);
		return false;
	case IKC_PROCESS_ENDED:
		serve_end(message);
		break;
	case IKC_PROCESS_GONE:
		serve_gone();
	default:
		die(EXIT_FAILED, "%s sends a message of kind %u", proxy->partition, message->kind);
	}
	note_answer(message);
	message->kind = kind;
	message->flags = 0;
	message->number = result;
	return true;
}

/* ---- workers ---- */

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

/* Answers by what is in *turn, if it has a length, and takes the next message; hands on the signals that come meanwhile. */
HOT static bool take_any(struct ikc_turn *turn)
{
	bool received;

	while (!(received = proxy_turn(proxy, turn)) && errno == EINTR)
		signals_forward();
	return received;
}

/* As take_any(), of messages that are more than told. */
HOT static bool take_one(struct ikc_turn *turn)
{
	bool received = take_any(turn);

	while (received && take_aside(proxy_turn_message(turn))) {
		turn->length = 0;
		received = take_any(turn);
	}
	return received;
}

/* What is to be told of local calls is told in their order: before anybody takes the next message. */
static bool take_one_traced(struct ikc_turn *turn)
{
	static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
	bool received;

	if (turn->length && !proxy_send(proxy, proxy_turn_message(turn)))
		return false;
	turn->length = 0;
	turn->looks = true; /* who else would? */
	pthread_mutex_lock(&order);
	received = take_one(turn);
	pthread_mutex_unlock(&order);
	return received;
}

static void join_all(struct worker *worker)
{
	worker->thread = gettid();
	pthread_mutex_lock(&all_lock);
	worker->next = all;
	all = worker;
	pthread_mutex_unlock(&all_lock);
}

/* Who takes a message makes the call and answers, and looks for the next one; the first one looks from the beginning. */
HOT static void *work(void *first)
{
	struct worker worker = { 0 };
	struct ikc_turn turn = { .looks = first != NULL };
	uint32_t taken = 0;

	join_all(&worker);
	while (tracing == CALL_TRACE_OFF ? take_one(&turn) : take_one_traced(&turn)) {
		if (first && ++taken == IKC_PROCESS_BEGINNING)
			proxy_look(proxy, look_ns);
		is_last = !__atomic_sub_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
		turn.looks = serve(&worker, proxy_turn_message(&turn));
		turn.length = turn.looks ? IKC_PROCESS_SHORT : 0;
		__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	}
	finish();
	return NULL;
}

/* It is enough that a call is interrupted by it. */
static void interrupted(int number)
{
	(void)number;
}

void workers_run(const struct proxy *opened, const struct program *program, enum call_trace trace,
		 uint64_t look_for_ns)
{
	const struct sigaction interruption = { .sa_handler = interrupted };

	proxy = opened;
	tracing = trace;
	look_ns = look_for_ns;
	stops_tell(proxy);
	everywhere_begin();
	sigaction(INTERRUPT_SIGNAL, &interruption, NULL);
	signals_begin(proxy);
	views_begin(proxy, program, have_another_wait);
	waiting = 1;
	work(&waiting);
	abort();
}
