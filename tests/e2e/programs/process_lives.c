/* SPDX-License-Identifier: Apache-2.0 */
/* A program that lives in the way that its first argument names, for others to end, to stop and to count. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define CROWD 24

/* ---- many threads, of which each does something else for ever ---- */

static void compute(void)
{
	for (;;)
		asm volatile("pause");
}

static void call_the_proxy(void)
{
	for (;;)
		getppid();
}

static void wait_in_the_proxy(void)
{
	char byte;

	for (;;)
		read(open("/tmp/never", O_RDWR), &byte, 1);
}

static void wait_here(void)
{
	static uint32_t word;

	for (;;)
		syscall(SYS_futex, &word, 0, 0, NULL);
}

/* Linux knows the pages by then, and has to forget them. */
static void give_and_take_memory(void)
{
	for (;;) {
		char *pages = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		read(open("/dev/zero", O_RDONLY | O_CLOEXEC), pages, 16 * PAGE);
		munmap(pages, 16 * PAGE);
		close_range(3, 900, 0);
	}
}

static void *live(void *number)
{
	static void (*const ways[])(void) = { compute, call_the_proxy, wait_in_the_proxy, wait_here,
					      give_and_take_memory };

	ways[(uintptr_t)number % (sizeof(ways) / sizeof(ways[0]))]();
	return NULL;
}

static int only_compute(void)
{
	compute();
	return 0;
}

static int crowd(void)
{
	pthread_t thread;
	uintptr_t i;

	for (i = 1; i < CROWD; i++)
		if (pthread_create(&thread, NULL, live, (void *)i))
			return 1;
	live(0);
	return 0;
}

/* ---- who computes where others see it ---- */

#define COUNTER 0x10000000ul

static int count(void)
{
	volatile uint64_t *counter = mmap((void *)COUNTER, PAGE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	for (;;)
		++*counter;
	return 0;
}

/* ---- who gives a page back, when he is told to ---- */

static int give_back(void)
{
	char *page = mmap((void *)COUNTER, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	char byte;

	if (read(open("/dev/zero", O_RDONLY), page, PAGE) != PAGE) /* Linux knows it now */
		return 1;
	puts("has it");
	fflush(stdout);
	if (read(0, &byte, 1) != 1)
		return 1;
	munmap(page, PAGE);
	puts("gave it back");
	return 0;
}

/* ---- who shares ---- */

static int tell_cpu_and_wait(void)
{
	printf("%d\n", sched_getcpu());
	fflush(stdout);
	wait_in_the_proxy();
	return 0;
}

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

static void *read_shared(void *shared)
{
	return (void *)(uintptr_t)*(volatile char *)shared;
}

static int share_memory(void)
{
	char *anonymous = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int file = open("/tmp/process_lives.file", O_RDWR | O_CREAT, 0600);
	pthread_t thread;
	void *seen;

	anonymous[PAGE - 1] = 'x';
	if (ftruncate(file, PAGE) || pthread_create(&thread, NULL, read_shared, anonymous + PAGE - 1))
		return 1;
	pthread_join(thread, &seen);
	printf("anonymous: %c\n", (char)(uintptr_t)seen);
	say("read only", (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0));
	say("writable", (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
	return 0;
}

/* ---- one after the other, that have had memory, threads and files ---- */

static void *touch(void *unused)
{
	(void)unused;
	memset(mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 64 * PAGE);
	return NULL;
}

static int be_short(void)
{
	pthread_t threads[2];
	int ends[2], i;

	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, touch, NULL))
			return 1;
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return pipe(ends);
}

static const struct {
	const char *name;
	int (*run)(void);
} ways[] = {
	{ "crowd", crowd },
	{ "compute", only_compute },
	{ "count", count },
	{ "cpu", tell_cpu_and_wait },
	{ "give", give_back },
	{ "share", share_memory },
	{ "short", be_short },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(argv[1], ways[i].name))
			return ways[i].run();
	return 99;
}
