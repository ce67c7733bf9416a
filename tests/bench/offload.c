/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured of a program, on the LWK as on Linux: prints nanoseconds, one number for each burst. The fastest of
 * some is what the kernel takes; what others on the computer add is not its.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define TRIAD_WORDS (2 * MIB / sizeof(double))
#define THREADS_MAX 64

__attribute__((noreturn)) static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void tell(uint64_t begin, unsigned long count)
{
	printf("%.1f\n", (double)(now_ns() - begin) / count);
}

static long call(long number)
{
	long result;

	asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
	return result;
}

static void make_calls(long number, unsigned long count)
{
	while (count--)
		call(number);
}

static void burst_local(unsigned long count)
{
	uint64_t begin = now_ns();

	make_calls(SYS_getpid, count);
	tell(begin, count);
}

static void burst_offload(unsigned long count)
{
	uint64_t begin = now_ns();

	make_calls(SYS_getppid, count);
	tell(begin, count);
}

/* Between two calls both sides have gone to sleep. */
static void burst_asleep(unsigned long count)
{
	const struct timespec pause = { 0, 5000000 };
	uint64_t all = 0;
	unsigned long i;

	for (i = 0; i < count; i++) {
		uint64_t begin;

		nanosleep(&pause, NULL);
		begin = now_ns();
		call(SYS_getppid);
		all += now_ns() - begin;
	}
	printf("%.1f\n", (double)all / count);
}

/* ---- threads ---- */

static pthread_barrier_t barrier;

struct part {
	pthread_t thread;
	unsigned long count;
	uint64_t begin;
	uint64_t end;
};

static void *work(void *given)
{
	struct part *part = given;

	pthread_barrier_wait(&barrier);
	part->begin = now_ns();
	make_calls(SYS_getppid, part->count);
	part->end = now_ns();
	return NULL;
}

/* The time for each of `count` calls that `threads` threads make together: from the first one's begin to the last one's end. */
static void burst_threads(unsigned long count, unsigned int threads)
{
	struct part parts[THREADS_MAX];
	uint64_t begin = UINT64_MAX, end = 0;
	unsigned int i;

	pthread_barrier_init(&barrier, NULL, threads);
	for (i = 0; i < threads; i++) {
		parts[i].count = count / threads;
		if (pthread_create(&parts[i].thread, NULL, work, &parts[i]))
			fail("pthread_create");
	}
	for (i = 0; i < threads; i++) {
		pthread_join(parts[i].thread, NULL);
		begin = parts[i].begin < begin ? parts[i].begin : begin;
		end = parts[i].end > end ? parts[i].end : end;
	}
	printf("%.1f\n", (double)(end - begin) / (count / threads * threads));
	pthread_barrier_destroy(&barrier);
}

/* ---- memory ---- */

static void *touched(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	memset(memory, 1, size);
	return memory;
}

__attribute__((optimize("O3"))) static void triad(double *restrict to, const double *a, const double *b)
{
	size_t i;

	for (i = 0; i < TRIAD_WORDS; i++)
		to[i] = a[i] + 3.0 * b[i];
}

/* STREAM's. */
static void burst_triad(unsigned long count)
{
	static double *to, *a, *b;
	uint64_t begin;
	unsigned long i;

	if (!to) {
		to = touched(TRIAD_WORDS * sizeof(*to));
		a = touched(TRIAD_WORDS * sizeof(*a));
		b = touched(TRIAD_WORDS * sizeof(*b));
	}
	begin = now_ns();
	for (i = 0; i < count; i++)
		triad(to, a, b);
	tell(begin, count);
}

/* 1 MiB each. The file is read once before: neither side finds its pages for the first time. */
static void burst_read(unsigned long count, const char *path)
{
	static void *buffer;
	unsigned long i;
	uint64_t begin;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		fail(path);
	buffer = buffer ?: touched(MIB);
	if (pread(fd, buffer, MIB, 0) != MIB)
		fail("read of 1 MiB");
	begin = now_ns();
	for (i = 0; i < count; i++)
		if (pread(fd, buffer, MIB, 0) != MIB)
			fail("read of 1 MiB");
	tell(begin, count);
	close(fd);
}

/* ---- programs ---- */

static void burst_start(unsigned long count, char **words)
{
	uint64_t begin = now_ns();
	unsigned long i;

	for (i = 0; i < count; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			execv(words[0], words);
			_exit(127);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fail("a program that was started");
	}
	tell(begin, count);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "nothing"; /* that is: nothing but to start and to end */
	unsigned long bursts = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;

	while (bursts--) {
		if (!strcmp(what, "local"))
			burst_local(count);
		else if (!strcmp(what, "offload"))
			burst_offload(count);
		else if (!strcmp(what, "asleep"))
			burst_asleep(count);
		else if (!strcmp(what, "threads"))
			burst_threads(count, strtoul(argv[4], NULL, 10));
		else if (!strcmp(what, "triad"))
			burst_triad(count);
		else if (!strcmp(what, "read"))
			burst_read(count, argv[4]);
		else if (!strcmp(what, "start"))
			burst_start(count, argv + 4);
	}
	return 0;
}
