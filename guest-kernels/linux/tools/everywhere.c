/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that all threads of a proxy make. */
#define _GNU_SOURCE
#include "everywhere.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"
#include "hot.h"
#include "raw_call.h"

#define PERSONALITY_QUESTION 0xffffffffu

struct sharer {
	struct sharer *next;
	pthread_t thread;
};

/* One call at a time, and no thread comes to be meanwhile: it would begin with what is about to change. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sharer *sharers; /* under it */

/* What the others are to do, while the lock is held. */
static struct {
	uint64_t number;
	const uint64_t *words;
	long result;
	sem_t done;
	bool differs; /* somebody's result was another one */
} now;

/* ---- which ---- */

static bool is_about_threads(uint32_t option)
{
	switch (option) {
	case PR_SET_NAME: /* comes here for the first thread alone: Linux shows it as the process's */
	case PR_SET_KEEPCAPS:
	case PR_CAPBSET_DROP:
	case PR_SET_SECUREBITS:
	case PR_SET_TIMERSLACK:
	case PR_SET_NO_NEW_PRIVS:
	case PR_CAP_AMBIENT:
		return true;
	default:
		return false;
	}
}

static bool is_self(uint64_t id)
{
	return !(uint32_t)id || (pid_t)id == getpid();
}

HOT bool everywhere_is_meant(uint64_t number, const uint64_t *words)
{
	switch (number) {
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setgroups:
	case SYS_setfsuid:
	case SYS_setfsgid:
	case SYS_capset:
	case SYS_landlock_restrict_self:
		return true;
	case SYS_personality:
		return (uint32_t)words[0] != PERSONALITY_QUESTION;
	case SYS_setpriority:
		return (uint32_t)words[0] == PRIO_PROCESS && is_self(words[1]);
	case SYS_ioprio_set:
		return (uint32_t)words[0] == IOPRIO_WHO_PROCESS && is_self(words[1]);
	case SYS_prctl:
		return is_about_threads(words[0]);
	default:
		return false;
	}
}

/* The program's process, by whose number Linux would mean the first thread. */
static void name_oneself(uint64_t number, uint64_t *words)
{
	if (number == SYS_setpriority || number == SYS_ioprio_set)
		words[1] = 0;
}

/* ---- by all ---- */

static void join_in(int number)
{
	(void)number;
	if (raw_call(now.number, now.words) != now.result)
		__atomic_store_n(&now.differs, true, __ATOMIC_RELAXED);
	sem_post(&now.done);
}

static void have_others_do_it(void)
{
	const struct sharer *sharer;
	int asked = 0;

	for (sharer = sharers; sharer; sharer = sharer->next)
		if (!pthread_equal(sharer->thread, pthread_self()))
			asked += !pthread_kill(sharer->thread, EVERYWHERE_SIGNAL);
	while (asked)
		asked -= !sem_wait(&now.done);
	if (now.differs)
		die(EXIT_FAILED, "call %llu came out differently in two threads of the proxy",
		    (unsigned long long)now.number);
}

long everywhere_call(uint64_t number, const uint64_t *words)
{
	uint64_t own[6] = { words[0], words[1], words[2], words[3], words[4], words[5] };
	long result;

	name_oneself(number, own);
	pthread_mutex_lock(&lock);
	result = raw_call(number, own);
	if (result >= 0 || result < -4095) {
		now.number = number;
		now.words = own;
		now.result = result;
		have_others_do_it();
	}
	pthread_mutex_unlock(&lock);
	return result;
}

/* ---- who ---- */

static void add(struct sharer *sharer, pthread_t thread)
{
	sharer->thread = thread;
	sharer->next = sharers;
	sharers = sharer;
}

void everywhere_begin(void)
{
	const struct sigaction action = { .sa_handler = join_in, .sa_flags = SA_RESTART };
	static struct sharer first;

	sem_init(&now.done, 0, 0);
	sigaction(EVERYWHERE_SIGNAL, &action, NULL);
	add(&first, pthread_self());
}

int everywhere_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *))
{
	struct sharer *sharer = malloc(sizeof(*sharer));
	int error = ENOMEM;

	if (!sharer)
		return error;
	pthread_mutex_lock(&lock);
	error = pthread_create(thread, attributes, work, NULL);
	if (!error)
		add(sharer, *thread);
	pthread_mutex_unlock(&lock);
	if (error)
		free(sharer);
	return error;
}
