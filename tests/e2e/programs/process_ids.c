/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes who it is while its threads wait in Linux, and says who each of them is then. Its word tells how: `library` by the C
 * library's functions, `raw` by one thread's system calls, `names` gives each thread a name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 6
#define SECRET "/tmp/process_ids.secret"

static int ends[2];
static char said[THREADS][256];

static void tell(char *to, size_t size)
{
	int fd = open(SECRET, O_RDONLY);
	const char *why = fd < 0 ? strerrorname_np(errno) : "opened";
	uid_t real, effective, saved;
	gid_t group, effective_group, saved_group;

	getresuid(&real, &effective, &saved);
	getresgid(&group, &effective_group, &saved_group);
	snprintf(to, size, "%d %d %d (%d), %d %d %d (%d), %d groups, nice %d, no new privileges %d, secret: %s", real,
		 effective, saved, getuid(), group, effective_group, saved_group, getegid(), getgroups(0, NULL),
		 getpriority(PRIO_PROCESS, 0), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), why);
}

/* Each has a worker of its own on Linux, all at once, before and after. */
static void *wait_and_tell(void *number)
{
	char byte;

	if (read(ends[0], &byte, 1) == 1)
		tell(said[(uintptr_t)number], sizeof(said[0]));
	return NULL;
}

static int change_by_library(void)
{
	gid_t groups[] = { 7, 8, 9 };

	return setgroups(3, groups) || setresgid(4321, 4321, 4321) || setresuid(1234, 1234, 1234);
}

/* For all threads of an LWK's process: which of the proxy's threads makes a call is nobody's to know. */
static int change_raw(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };
	gid_t groups[] = { 7, 8, 9 };

	return syscall(SYS_setpriority, PRIO_PROCESS, 0, 5) || syscall(SYS_setgroups, 3, groups) ||
	       syscall(SYS_setgid, 4321) || syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       syscall(SYS_capset, &header, none);
}

static int change(int (*how)(void))
{
	pthread_t threads[THREADS];
	char own[256];
	uintptr_t i;

	close(open(SECRET, O_RDWR | O_CREAT, 0000));
	if (pipe(ends))
		return 1;
	tell(own, sizeof(own));
	puts(own);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, wait_and_tell, (void *)i))
			return 1;
	usleep(50000); /* they read by then, or soon: it must come out the same */
	if (how())
		return 2;
	if (write(ends[1], "......", THREADS) != THREADS)
		return 1;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		puts(said[i]);
	}
	tell(own, sizeof(own));
	puts(own);
	return 0;
}

/* ---- names ---- */

static pthread_barrier_t together;

static void *take_name(void *number)
{
	char name[32] = "", given[32];

	snprintf(given, sizeof(given), "a longer name than %d", (int)(uintptr_t)number);
	if ((uintptr_t)number)
		prctl(PR_SET_NAME, given);
	pthread_barrier_wait(&together);
	getppid();
	prctl(PR_GET_NAME, name);
	snprintf(said[(uintptr_t)number], sizeof(said[0]), "%s", name);
	return NULL;
}

static int name_threads(void)
{
	pthread_t threads[THREADS];
	char name[16] = "";
	uintptr_t i;

	prctl(PR_SET_NAME, "first");
	pthread_barrier_init(&together, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, take_name, (void *)i))
			return 1;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		puts(said[i]);
	}
	prctl(PR_GET_NAME, name);
	puts(name);
	return prctl(PR_SET_NAME, (void *)1, 0, 0, 0) != -1 || errno != EFAULT;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "library"))
		return change(change_by_library);
	if (!strcmp(word, "raw"))
		return change(change_raw);
	if (!strcmp(word, "names"))
		return name_threads();
	return 99;
}
