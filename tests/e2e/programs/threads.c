/* SPDX-License-Identifier: Apache-2.0 */
/* What threads ask of the kernel: locks whose owner hands them on, or ends; waits that a signal interrupts; names. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 500

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result ? strerrorname_np(result) : "0");
}

static void say_call(const char *what, long result)
{
	say(what, result < 0 ? errno : 0);
}

static pthread_mutex_t mutex;
static int count;

static void make_mutex(int protocol, int robust)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, protocol);
	pthread_mutexattr_setrobust(&attributes, robust);
	pthread_mutex_init(&mutex, &attributes);
}

static void *count_up(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		count++;
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void *try_in_vain(void *unused)
{
	struct timespec soon;

	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec = (soon.tv_nsec + 10000000) % 1000000000;
	soon.tv_sec += soon.tv_nsec < 10000000;
	say("tried", pthread_mutex_trylock(&mutex));
	say("waited a while", pthread_mutex_timedlock(&mutex, &soon));
	say("not its own", pthread_mutex_unlock(&mutex));
	return unused;
}

static void hand_on(void)
{
	pthread_t threads[THREADS];

	make_mutex(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count_up, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("counted %d\n", count);
	pthread_mutex_lock(&mutex);
	pthread_create(&threads[0], NULL, try_in_vain, NULL);
	pthread_join(threads[0], NULL);
	say("given back", pthread_mutex_unlock(&mutex));
}

/* ---- the owner ends ---- */

static pthread_barrier_t locked;

static void *end_with_it(void *unused)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&locked);
	usleep(20000); /* most probably others wait by then */
	return unused;
}

static void *take_over(void *unused)
{
	long found = pthread_mutex_lock(&mutex);

	(void)unused;
	if (found == EOWNERDEAD)
		pthread_mutex_consistent(&mutex);
	pthread_mutex_unlock(&mutex);
	return (void *)found;
}

static void end_as_owner(int protocol)
{
	pthread_t owner, waiters[THREADS];
	int dead = 0, good = 0;

	make_mutex(protocol, PTHREAD_MUTEX_ROBUST);
	pthread_barrier_init(&locked, NULL, 2);
	pthread_create(&owner, NULL, end_with_it, NULL);
	pthread_barrier_wait(&locked);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&waiters[i], NULL, take_over, NULL);
	for (int i = 0; i < THREADS; i++) {
		void *found;

		pthread_join(waiters[i], &found);
		dead += (long)found == EOWNERDEAD;
		good += !found;
	}
	pthread_join(owner, NULL);
	printf("owner dead: %d, then: %d\n", dead, good);
}

/* ---- calls ---- */

static uint32_t word;
static volatile sig_atomic_t handled;

static void handle(int number)
{
	handled = number;
}

static void *interrupt(void *waiter)
{
	while (!handled) {
		usleep(20000); /* most probably it waits by then */
		pthread_kill(*(pthread_t *)waiter, SIGUSR1);
	}
	usleep(20000);
	__atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

/* Woken, or it finds the new value when it looks again. */
static void wait_through_signal(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
	pthread_t self = pthread_self(), other;
	long result;

	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&other, NULL, interrupt, &self);
	result = syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
	printf("waits on: %s\n", !result || errno == EAGAIN ? "yes" : strerrorname_np(errno));
	pthread_join(other, NULL);
}

static void ask_for_what_is_not(void)
{
	struct futex_waitv waiter = { .val = 7, .uaddr = (uintptr_t)&word, .flags = FUTEX_32 };
	stack_t small = { .ss_sp = &waiter, .ss_size = 100 };
	struct sched_param parameter = { 0 };
	struct timespec now = { 0 };

	say_call("another value", syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC));
	say_call("too many", syscall(SYS_futex_waitv, &waiter, 129, 0, NULL, CLOCK_MONOTONIC));
	say_call("another clock", syscall(SYS_futex_waitv, &waiter, 1, 0, &now, CLOCK_BOOTTIME));
	waiter.uaddr++;
	say_call("not aligned", syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC));
	waiter.uaddr = 0;
	say_call("nowhere", syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC));
	waiter.flags = 0;
	say_call("no size", syscall(SYS_futex_waitv, &waiter, 1, 0, NULL, CLOCK_MONOTONIC));
	say_call("small stack", sigaltstack(&small, NULL));
	say_call("no priority", sched_setscheduler(0, SCHED_FIFO, &parameter));
	parameter.sched_priority = 7;
	say_call("a priority", sched_setscheduler(0, SCHED_FIFO, &parameter));
	printf("policy %d\n", sched_getscheduler(0));
	parameter.sched_priority = 0;
	say_call("not with that policy", sched_setparam(0, &parameter));
	say_call("no policy", sched_setscheduler(0, 77, &parameter));
}

static void order_others(void)
{
	say_call("not registered", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	say_call("register", syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	say_call("order", syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	say_call("order all", syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
	say_call("no such order", syscall(SYS_membarrier, 1 << 20, 0, 0));
}

/* ---- numbers that stay in registers ---- */

/* In turns with the others, of whom each has numbers of its own; every second thread uses them seldom. */
static void *keep_numbers(void *number)
{
	long seldom = (long)number % 2 ? 7 : 1;
	double kept = 1.0 / (2 + (long)number), vector[2];
	long wrong = 0;

	asm volatile("movsd %0, %%xmm9; unpcklpd %%xmm9, %%xmm9; fldl %0" : : "m"(kept) : "xmm9");
	for (int i = 0; i < ROUNDS; i++) {
		long call = SYS_sched_yield;

		asm volatile("syscall" : "+a"(call) : : "rcx", "r11", "memory");
		if (i % seldom)
			continue;
		asm volatile("movupd %%xmm9, %0" : "=m"(vector));
		wrong += vector[0] != kept || vector[1] != kept;
	}
	asm volatile("fstpl %0" : "=m"(vector[0]));
	return (void *)(wrong + (vector[0] != kept));
}

static volatile bool interrupted_enough;

static void *let_run(void *unused)
{
	while (!interrupted_enough)
		sched_yield();
	return unused;
}

static void use_number(int number)
{
	(void)number;
	asm volatile("pxor %%xmm9, %%xmm9" : : : "xmm9");
}

/* Of a thread whose numbers are still there when it has the CPU again, and that is interrupted before it uses them. */
static void *be_interrupted(void *unused)
{
	double kept = 1.0 / 3, number;
	long wrong = 0;

	(void)unused;
	signal(SIGUSR2, use_number);
	asm volatile("movsd %0, %%xmm9" : : "m"(kept) : "xmm9");
	for (int i = 0; i < ROUNDS; i++) {
		long call = SYS_sched_yield;

		asm volatile("syscall" : "+a"(call) : : "rcx", "r11", "memory");
		call = SYS_tkill;
		asm volatile("syscall" : "+a"(call) : "D"((long)gettid()), "S"((long)SIGUSR2) : "rcx", "r11", "memory");
		asm volatile("movsd %%xmm9, %0" : "=m"(number));
		wrong += number != kept;
	}
	interrupted_enough = true;
	return (void *)wrong;
}

static void keep_numbers_through_signals(void)
{
	pthread_t other, thread;
	void *wrong;

	pthread_create(&other, NULL, let_run, NULL);
	pthread_create(&thread, NULL, be_interrupted, NULL);
	pthread_join(thread, &wrong);
	pthread_join(other, NULL);
	printf("numbers that a signal cost: %ld\n", (long)wrong);
}

/* All on one CPU. */
static void keep_numbers_apart(void)
{
	pthread_t threads[THREADS];
	cpu_set_t all, one;
	void *wrong;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	keep_numbers_through_signals();
	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, keep_numbers, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		printf("numbers that were another's: %ld\n", (long)wrong);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

/* ---- names ---- */

static void *tell_name(void *wanted)
{
	int *address = NULL;
	char name[16];

	prctl(PR_GET_NAME, name);
	printf("born as %s\n", name);
	if (wanted)
		prctl(PR_SET_NAME, wanted);
	usleep(1000); /* another worker of a proxy makes the next call, perhaps */
	prctl(PR_GET_NAME, name);
	prctl(PR_GET_TID_ADDRESS, &address);
	printf("now %s, id in place: %d\n", name, address && *address == gettid());
	return wanted;
}

static void have_names(void)
{
	pthread_t thread;

	tell_name("a name that is longer than can be");
	for (int i = 0; i < 2; i++) {
		pthread_create(&thread, NULL, tell_name, i ? "second" : NULL);
		pthread_join(thread, NULL);
	}
	tell_name(NULL);
}

int main(void)
{
	have_names();
	hand_on();
	end_as_owner(PTHREAD_PRIO_NONE);
	end_as_owner(PTHREAD_PRIO_INHERIT);
	wait_through_signal();
	ask_for_what_is_not();
	order_others();
	keep_numbers_apart();
	return 0;
}
