/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does one thing, named by its first argument, and says what came of it: the same on Linux and on an
 * LWK.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LARGE (8 << 20)
#define KERNEL_ADDRESS 0xffff800000200000ul

static void say(const char *what, long result)
{
	printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

/* ---- what a program is given ---- */

static int tell_arguments(int argc, char **argv)
{
	char cwd[4096];
	mode_t mask = umask(0);
	int i;

	for (i = 2; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);
	printf("USER_MODE=%s\n", getenv("USER_MODE") ?: "(none)");
	printf("cwd %s umask %o\n", getcwd(cwd, sizeof(cwd)), mask);
	return argc;
}

static int copy_input(int argc, char **argv)
{
	char block[1000];
	ssize_t got;

	(void)argc, (void)argv;
	while ((got = read(0, block, sizeof(block))) > 0)
		if (write(1, block, got) != got)
			return 1;
	return got != 0;
}

/* ---- memory ---- */

static int use_memory(int argc, char **argv)
{
	long page = sysconf(_SC_PAGESIZE);
	char *first, *second, *grown;
	int ends[2], own;

	(void)argc;
	if (pipe(ends))
		return 1;
	first = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf("zero: %d %d\n", first[0], first[LARGE - 1]);
	memset(first, 7, LARGE);
	/* a hole in the middle of a large page, and again zeroes in it; Linux knows the old pages by then */
	own = open(argv[0], O_RDONLY);
	say("read before", pread(own, first, 4, 0) + pread(own, first + 3 * page, 4, 0));
	say("munmap", munmap(first + 3 * page, 2 * page));
	second = mmap(first + 3 * page, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("hole: %d %d %d %d\n", second == first + 3 * page, first[3 * page - 1], second[0], second[2 * page]);
	say("read after", pread(own, second, 4, 0));
	printf("read: %.3s\n", second + 1);
	say("mprotect", mprotect(first, page, PROT_READ));
	say("read into what is read-only", read(open("/dev/zero", O_RDONLY), first, 1));
	say("mprotect back", mprotect(first, page, PROT_READ | PROT_WRITE));
	say("read into what is writable", read(open("/dev/zero", O_RDONLY), first, 1));
	grown = mremap(first, LARGE, 2 * LARGE, MREMAP_MAYMOVE);
	printf("mremap: %d %d %d\n", grown[0], grown[LARGE - 1], grown[2 * LARGE - 1]);
	say("madvise", madvise(grown, LARGE, MADV_DONTNEED));
	printf("dropped: %d %d\n", grown[0], grown[LARGE - 1]);
	say("munmap all", munmap(grown, 2 * LARGE));
	say("mprotect of nothing", mprotect(grown, page, PROT_READ));
	say("write from nothing", write(ends[1], grown, 1));
	say("mmap of too much", (long)mmap(NULL, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	return 0;
}

/* Linux holds on to the page itself, and reads it later. */
static int lend_pages(int argc, char **argv)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec lent = { page, 4096 }, copy;
	char read_back[4096];
	int ends[2];

	(void)argc, (void)argv;
	if (pipe(ends))
		return 1;
	strcpy(page, "as it was");
	say("vmsplice", vmsplice(ends[1], &lent, 1, 0));
	strcpy(page, "as it is");
	say("read", read(ends[0], read_back, sizeof(read_back)));
	printf("%s\n", read_back);
	copy = (struct iovec) { read_back, 4096 };
	strcpy(page, "by its process id");
	say("process_vm_readv", process_vm_readv(getpid(), &copy, 1, &lent, 1, 0));
	printf("%s\n", read_back);
	return 0;
}

static int map_a_file(int argc, char **argv)
{
	int fd = open(argv[2], O_RDWR);
	struct stat status;
	char *private;

	(void)argc;
	fstat(fd, &status);
	private = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	printf("first %c last %c behind %d\n", private[0], private[status.st_size - 2], private[status.st_size]);
	private[0] = '!';
	lseek(fd, 0, SEEK_SET);
	printf("in the file: %c\n", read(fd, private + 1, 1) == 1 ? private[1] : '?');
	say("of a directory", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open("/", O_RDONLY), 0));
	say("of nothing", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
	say("at no page", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 1));
	return 0;
}

/* ---- NUMA nodes: two of them, on an LWK ---- */

#define MPOL_DEFAULT 0
#define MPOL_PREFERRED 1
#define MPOL_BIND 2
#define MPOL_INTERLEAVE 3
#define MPOL_F_NODE 1
#define MPOL_F_ADDR 2
#define LARGE_PAGE (2 << 20)

static int node_of(const char *address)
{
	int node = -1;

	syscall(SYS_get_mempolicy, &node, NULL, 0, address, MPOL_F_NODE | MPOL_F_ADDR);
	return node;
}

static long set_policy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, 64);
}

static char *get_memory(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int use_nodes(int argc, char **argv)
{
	unsigned long first = 1, second = 2;
	char *memory;
	int i;

	(void)argc, (void)argv;
	memory = get_memory(LARGE);
	printf("by default: %d\n", node_of(memory));
	memset(memory, 5, LARGE);
	say("mbind", syscall(SYS_mbind, memory + LARGE / 2, LARGE / 2, MPOL_BIND, &second, 64, 0));
	printf("bound: %d %d, holds %d\n", node_of(memory), node_of(memory + LARGE / 2), memory[LARGE - 1]);
	say("mbind back", syscall(SYS_mbind, memory + LARGE - 4096, 4096, MPOL_BIND, &first, 64, 0));
	printf("its last page: %d, before: %d, holds %d\n", node_of(memory + LARGE - 1),
	       node_of(memory + LARGE - 4097), memory[LARGE - 1]);
	say("set_mempolicy", set_policy(MPOL_BIND, second));
	printf("then: %d\n", node_of(get_memory(LARGE)));
	printf("more than it has: %s\n", get_memory(64 << 20) ? "given" : "refused");
	set_policy(MPOL_PREFERRED, second);
	memory = get_memory(64 << 20);
	printf("preferred: %d, and behind its end: %d\n", node_of(memory), node_of(memory + (64 << 20) - LARGE_PAGE));
	munmap(memory, 64 << 20);
	set_policy(MPOL_INTERLEAVE, first | second);
	memory = get_memory(4 * LARGE_PAGE);
	printf("interleaved:");
	for (i = 0; i < 4; i++)
		printf(" %d", node_of(memory + i * LARGE_PAGE));
	putchar('\n');
	say("no such node", set_policy(MPOL_BIND, 1ul << 40));
	say("no such mode", set_policy(99, first));
	say("default", set_policy(MPOL_DEFAULT, 0));
	return 0;
}

/* ---- what it may not do ---- */

static int use_bad_pointers(int argc, char **argv)
{
	static const uintptr_t addresses[] = { 0, 0x1000, 0x3fffffffffff, 0x555555555000, 0x7ffff7ff0000,
					       0x7fff00000000, KERNEL_ADDRESS, UINTPTR_MAX };
	int zero = open("/dev/zero", O_RDONLY), ends[2];
	size_t i;

	(void)argc, (void)argv;
	if (pipe(ends))
		return 1;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		void *bad = (void *)addresses[i];
		struct iovec vector = { bad, 8 };

		say("read", read(zero, bad, 8));
		say("open", open(bad, O_RDONLY));
		say("stat", syscall(SYS_newfstatat, AT_FDCWD, "/", bad, 0));
		say("clock_gettime", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad));
		say("readv", readv(zero, &vector, 1));
		say("getcwd", syscall(SYS_getcwd, bad, 100));
		say("pipe", syscall(SYS_pipe, bad));
		say("uname", syscall(SYS_uname, bad));
		say("ioctl", ioctl(ends[0], FIONREAD, bad));
	}
	return 0;
}

static int fault(int argc, char **argv)
{
	const char *how = argv[2];
	volatile int zero = 0;

	(void)argc;
	if (!strcmp(how, "null"))
		*(volatile int *)(uintptr_t)zero = 1;
	if (!strcmp(how, "kernel"))
		*(volatile int *)KERNEL_ADDRESS = 1;
	if (!strcmp(how, "text"))
		*(volatile char *)(uintptr_t)fault = 1;
	if (!strcmp(how, "data")) /* not to be executed */
		((void (*)(void))(uintptr_t)argv)();
	if (!strcmp(how, "privileged"))
		asm volatile("cli");
	if (!strcmp(how, "port"))
		asm volatile("inb $0x60, %%al" : : : "rax");
	if (!strcmp(how, "noncanonical"))
		asm volatile("movq (%0), %%rax" : : "r"(0x800000000000ul) : "rax");
	if (!strcmp(how, "undefined"))
		asm volatile("ud2");
	if (!strcmp(how, "breakpoint"))
		asm volatile("int3");
	if (!strcmp(how, "divide"))
		return 5 / zero;
	if (!strcmp(how, "stack"))
		asm volatile("1: pushq $0; jmp 1b");
	if (!strcmp(how, "abort"))
		abort();
	return 0;
}

/* ---- registers and time ---- */

/* Every call and every interrupt could lose them. */
static int keep_registers(int argc, char **argv)
{
	double sum = 0, expected = 0;
	int i;

	(void)argc, (void)argv;
	for (i = 1; i <= 500; i++) {
		double part = 1.0 / i;

		sum += part;
		getppid(); /* offloaded: another thread may have the CPU meanwhile */
		expected = expected + part;
		if (sum != expected)
			return 1;
	}
	printf("%.12f\n", sum);
	return 0;
}

static int sleep_a_while(int argc, char **argv)
{
	struct timespec time = { 0, 50000000 }, begin, end;
	double ms;

	(void)argc, (void)argv;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	nanosleep(&time, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - begin.tv_sec) * 1e3 + (end.tv_nsec - begin.tv_nsec) / 1e6;
	printf("slept: %s\n", ms >= 50 ? "long enough" : "too short");
	return 0;
}

static double clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* Time that passes is not time that was used. */
static int use_time(int argc, char **argv)
{
	double begin, slept, used;
	struct rusage usage;

	(void)argc, (void)argv;
	begin = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
	usleep(300000);
	slept = clock_ms(CLOCK_PROCESS_CPUTIME_ID) - begin;
	while (clock_ms(CLOCK_PROCESS_CPUTIME_ID) - begin < slept + 100)
		;
	used = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	getrusage(RUSAGE_SELF, &usage);
	printf("while asleep: %s\n", slept < 200 ? "little" : "much");
	printf("used: %s\n", used >= 100 ? "much" : "little");
	printf("getrusage: %s\n",
	       usage.ru_utime.tv_sec * 1e3 + usage.ru_utime.tv_usec / 1e3 + usage.ru_stime.tv_sec * 1e3 +
			       usage.ru_stime.tv_usec / 1e3 >= 100 ? "much" : "little");
	return 0;
}

/* ---- limits ---- */

/* The stack's own is not the same everywhere. */
static int set_limits(int argc, char **argv)
{
	struct rlimit first, limit, old;

	(void)argc;
	(void)argv;
	say("getrlimit", getrlimit(RLIMIT_STACK, &first));
	limit = (struct rlimit) { first.rlim_cur / 2, first.rlim_cur };
	say("setrlimit, lower", setrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = first.rlim_cur;
	say("prlimit, as it was", prlimit(0, RLIMIT_STACK, &limit, &old));
	say("it was lower", old.rlim_cur == first.rlim_cur / 2 && old.rlim_max == first.rlim_cur);
	say("getrlimit", getrlimit(RLIMIT_STACK, &old));
	say("it is as it was", old.rlim_cur == first.rlim_cur && old.rlim_max == first.rlim_cur);
	limit = (struct rlimit) { first.rlim_cur + 4096, first.rlim_cur };
	say("soft above hard", setrlimit(RLIMIT_STACK, &limit));
	say("from nowhere", syscall(SYS_setrlimit, RLIMIT_STACK, NULL));
	say("from the kernel", syscall(SYS_prlimit64, 0, RLIMIT_STACK, KERNEL_ADDRESS, NULL));
	limit = (struct rlimit) { 100, 100 };
	say("another limit", setrlimit(RLIMIT_NOFILE, &limit));
	say("of that", getrlimit(RLIMIT_NOFILE, &old) || old.rlim_cur != 100);
	return 0;
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 5000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;
static long counted;

/* Every other one waits in the kernel meanwhile, as the mutex has it too. */
static void *count(void *argument)
{
	int i;

	pthread_barrier_wait(&together);
	for (i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counted++;
		pthread_mutex_unlock(&lock);
		if ((uintptr_t)argument % 2 && i % 500 == 0)
			getppid();
	}
	return argument;
}

static int use_threads(int argc, char **argv)
{
	pthread_t threads[THREADS];
	uintptr_t i, sum = 0;

	(void)argc, (void)argv;
	pthread_barrier_init(&together, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, count, (void *)i))
			return 1;
	for (i = 0; i < THREADS; i++) {
		void *result;

		pthread_join(threads[i], &result);
		sum += (uintptr_t)result;
	}
	printf("counted %ld, joined %ld\n", counted, (long)sum);
	return 0;
}

/* A call that blocks holds up its own thread alone. */
static void *read_from(void *end)
{
	char byte = 0;

	return (void *)(read(*(int *)end, &byte, 1) == 1 ? (uintptr_t)byte : 0);
}

static int block_one_thread(int argc, char **argv)
{
	pthread_t reader;
	void *byte;
	int ends[2];

	(void)argc, (void)argv;
	if (pipe(ends) || pthread_create(&reader, NULL, read_from, &ends[0]))
		return 1;
	usleep(50000); /* it reads by then, or soon: both must come out the same */
	if (write(ends[1], "x", 1) != 1)
		return 1;
	pthread_join(reader, &byte);
	printf("read %c\n", (char)(uintptr_t)byte);
	return 0;
}

static pthread_barrier_t mixed;
static volatile int asks, answers;

/* Each answer comes while another thread has the CPU. */
static void *ask_often(void *unused)
{
	(void)unused;
	asks = 1;
	while (answers < 100) {
		getppid();
		answers++;
	}
	return NULL;
}

/* Who computes gives way to who has its answer, also while another call blocks. */
static int give_way(int argc, char **argv)
{
	pthread_t reader, asker;
	void *byte;
	int ends[2];

	(void)argc, (void)argv;
	if (pipe(ends) || pthread_create(&reader, NULL, read_from, &ends[0]) ||
	    pthread_create(&asker, NULL, ask_often, NULL))
		return 1;
	while (!asks)
		sched_yield();
	while (answers < 100)
		;
	if (write(ends[1], "x", 1) != 1)
		return 1;
	pthread_join(asker, NULL);
	pthread_join(reader, &byte);
	printf("%d answers, read %c\n", answers, (char)(uintptr_t)byte);
	return 0;
}

#define MIXED_ROUNDS 200
#define MIXED_CALLERS 8

/* Makes calls of its kind, one after the other; all but the readers' and the writers' never wait. Returns how many went as they should. */
static void *call_often(void *number)
{
	static int pipes[MIXED_CALLERS / 4][2];
	long kind = (long)number % 4, pair = (long)number / 4, good = 0;
	char byte = 0, text[64];
	struct stat is;

	if (kind == 0 && pipe(pipes[pair]))
		return NULL;
	pthread_barrier_wait(&mixed);
	for (int i = 0; i < MIXED_ROUNDS; i++) {
		switch (kind) {
		case 0: /* waits for the next one */
			good += read(pipes[pair][0], &byte, 1) == 1 && byte == (char)i;
			break;
		case 1:
			byte = i;
			good += write(pipes[pair][1], &byte, 1) == 1;
			if (i % 16 == 0)
				usleep(100);
			break;
		case 2:
			good += stat("/proc/self/exe", &is) == 0 && getppid() > 0;
			break;
		default:
			good += readlink("/proc/self/exe", text, sizeof(text)) > 0;
		}
	}
	return (void *)good;
}

/* Of several kinds at once: each answer goes to who has asked, and who waits long holds up nobody. */
static int mix_calls(int argc, char **argv)
{
	pthread_t callers[MIXED_CALLERS];
	void *good;

	(void)argc, (void)argv;
	pthread_barrier_init(&mixed, NULL, MIXED_CALLERS);
	for (long i = 0; i < MIXED_CALLERS; i++)
		if (pthread_create(&callers[i], NULL, call_often, (void *)i))
			return 1;
	for (int i = 0; i < MIXED_CALLERS; i++) {
		pthread_join(callers[i], &good);
		printf("%ld ", (long)good);
	}
	printf("\n");
	return 0;
}

static void *note_cpu(void *noted)
{
	*(int *)noted = sched_getcpu();
	return NULL;
}

/* With what is in its registers, and while others run. */
static int move_about(int argc, char **argv)
{
	cpu_set_t all, one;
	double kept = 1.0 / argc;
	pthread_t thread;
	int cpu, rounds, wrong = 0, noted;

	(void)argv;
	sched_getaffinity(0, sizeof(all), &all);
	for (rounds = 0; rounds < 20; rounds++)
		for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			wrong += sched_setaffinity(0, sizeof(one), &one) || sched_getcpu() != cpu;
			wrong += kept != 1.0 / argc;
			pthread_create(&thread, NULL, note_cpu, &noted);
			pthread_join(thread, NULL);
			wrong += noted != cpu;
		}
	CPU_ZERO(&one);
	CPU_SET(CPU_SETSIZE - 1, &one);
	say("to nowhere", sched_setaffinity(0, sizeof(one), &one));
	printf("wrong: %d\n", wrong);
	return 0;
}

/* How many of threads that come one after the other begin where the one is that made them. */
static int follow_each_other(int argc, char **argv)
{
	int rounds, noted, beside = 0;
	pthread_t thread;

	(void)argc, (void)argv;
	for (rounds = 0; rounds < 300; rounds++) {
		pthread_create(&thread, NULL, note_cpu, &noted);
		while (pthread_tryjoin_np(thread, NULL))
			; /* the sooner the better: the thread may still have things to do */
		beside += noted == sched_getcpu();
	}
	printf("%d\n", beside);
	return 0;
}

static int tell_cpus(int argc, char **argv)
{
	cpu_set_t all;
	int cpu;

	(void)argc, (void)argv;
	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			printf("%d ", cpu);
	printf("%s\n", CPU_ISSET(sched_getcpu(), &all) ? "here" : "elsewhere");
	return 0;
}

/* ---- signals ---- */

static volatile int taken;
static sigjmp_buf back;

static void take(int number, siginfo_t *info, void *context)
{
	(void)context;
	taken = number;
	if (number == SIGSEGV) {
		printf("fault at %p, code %d\n", info->si_addr, info->si_code);
		siglongjmp(back, 1);
	}
}

/* The signal is for the other thread, which reads. */
static void *write_later(void *end)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	while (!taken)
		usleep(1000);
	return (void *)(uintptr_t)write(*(int *)end, "x", 1);
}

static void alarm_after(long us)
{
	const struct itimerval once = { .it_value = { 0, us } };

	taken = 0;
	setitimer(ITIMER_REAL, &once, NULL);
}

static volatile int values[16], told;

static void note_value(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	values[told++ % 16] = info->si_value.sival_int;
}

static void say_values(const char *what)
{
	int i;

	printf("%s:", what);
	for (i = 0; i < told; i++)
		printf(" %d", values[i]);
	printf("\n");
	told = 0;
}

/* As pthread_sigqueue, which not every C library has. */
static void queue_to_oneself(int number, union sigval value)
{
	siginfo_t info = { .si_signo = number, .si_code = SI_QUEUE };

	info.si_pid = getpid();
	info.si_value = value;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), (int)syscall(SYS_gettid), number, &info);
}

/* Each with a value of its own; a real-time signal as often as it was sent, any other once. */
static int queue_signals(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = note_value, .sa_flags = SA_SIGINFO };
	const struct itimerspec soon = { .it_value = { 0, 20000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99 };
	union sigval value;
	sigset_t blocked;
	siginfo_t info;
	timer_t timer;
	int i, refused = 0;

	(void)argc, (void)argv;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN + 2, &action, NULL);
	value.sival_int = 1;
	sigqueue(getpid(), SIGUSR1, value);
	queue_to_oneself(SIGUSR1, value);
	say_values("at once");
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN + 2);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (i = 0; i < 5; i++) {
		value.sival_int = 10 + i;
		sigqueue(getpid(), SIGRTMIN + 2, value);
		sigqueue(getpid(), SIGUSR1, value);
		value.sival_int = 20 + i;
		queue_to_oneself(SIGRTMIN + 2, value);
	}
	for (i = 0; i < 3; i++) {
		int number = sigwaitinfo(&blocked, &info);

		printf("waited for: %d %d\n", number, info.si_value.sival_int);
	}
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	say_values("not blocked any more");
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &soon, NULL);
	while (!told)
		pause();
	say_values("of a timer");
	say("to nobody", sigqueue(1 << 30, SIGUSR1, value));
	say("no such signal", sigqueue(getpid(), 65, value));
	say("none", sigqueue(getpid(), 0, value));
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (i = 0; i < 40; i++)
		refused += sigqueue(getpid(), SIGRTMIN + 2, value) != 0;
	for (i = 0; i < 40; i++)
		refused += sigwaitinfo(&blocked, &info) != SIGRTMIN + 2;
	printf("refused: %d\n", refused);
	return 0;
}

/* Of a Linux that is not there yet. */
static int call_unknown(int argc, char **argv)
{
	(void)argc, (void)argv;
	say("unknown", syscall(511, 1, 2, 3, 4, 5, -6L));
	say("into the proxy", syscall(511, 1, 0x7ffff0000000));
	return 0;
}

/* More than there is room for, twice. */
static int queue_many(int argc, char **argv)
{
	static const struct timespec at_once;
	union sigval value;
	sigset_t blocked;
	int round, i, refused, taken;

	(void)argc, (void)argv;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	for (round = 0; round < 2; round++) {
		for (i = refused = taken = 0; i < 200; i++) {
			value.sival_int = i;
			refused += sigqueue(getpid(), SIGRTMIN, value) && errno == EAGAIN;
		}
		kill(getpid(), SIGRTMIN);
		while (sigtimedwait(&blocked, NULL, &at_once) == SIGRTMIN)
			taken++;
		printf("taken %d, refused %d\n", taken, refused);
	}
	return 0;
}

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t times[3];
};

static void say_attributes(void)
{
	struct attributes now = { 0 };
	struct timespec interval = { 7, 7 };

	say("sched_getattr", syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0));
	printf("policy %u, flags %lu, nice %d, priority %u\n", now.policy, now.flags, now.nice, now.priority);
	sched_rr_get_interval(0, &interval);
	printf("by turns: %d\n", interval.tv_sec == 0 && interval.tv_nsec == 100000000);
}

static int set_schedule(int argc, char **argv)
{
	static const int policies[] = { SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, 6, 4, -1 };
	struct attributes wanted = { .size = sizeof(wanted), .policy = SCHED_RR, .priority = 7 };
	size_t i;

	(void)argc, (void)argv;
	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		printf("%d: %d to %d\n", policies[i], sched_get_priority_min(policies[i]),
		       sched_get_priority_max(policies[i]));
	say_attributes();
	say("sched_setattr", syscall(SYS_sched_setattr, 0, &wanted, 0));
	say_attributes();
	wanted = (struct attributes){ .size = sizeof(wanted), .policy = SCHED_BATCH, .flags = 1, .nice = 3 };
	say("to batch", syscall(SYS_sched_setattr, 0, &wanted, 0));
	say_attributes();
	printf("getpriority: %d\n", getpriority(PRIO_PROCESS, 0));
	wanted.priority = 1;
	say("batch with a priority", syscall(SYS_sched_setattr, 0, &wanted, 0));
	wanted.size = 20;
	say("too small", syscall(SYS_sched_setattr, 0, &wanted, 0));
	printf("known: %d\n", wanted.size >= sizeof(wanted));
	say("no room", syscall(SYS_sched_getattr, 0, &wanted, 20, 0));
	say("nowhere", syscall(SYS_sched_getattr, 0, NULL, sizeof(wanted), 0));
	say("nobody's", syscall(SYS_sched_getattr, 1 << 30, &wanted, sizeof(wanted), 0));
	return 0;
}

static int take_signals(int argc, char **argv)
{
	static char other_stack[65536];
	const stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction action = { .sa_sigaction = take, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	double kept = 1.0 / argc;
	const struct timespec soon = { 0, 50000000 };
	siginfo_t info;
	pthread_t writer;
	sigset_t blocked;
	int ends[2];
	char byte;

	(void)argv;
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	say("raise", raise(SIGUSR1));
	printf("taken %d, kept %d\n", taken, kept == 1.0 / argc);
	if (!sigsetjmp(back, 1))
		*(volatile int *)0x12340 = 1;
	if (!sigsetjmp(back, 1)) /* it is not blocked by the first */
		*(volatile char *)(uintptr_t)take_signals = 1;
	if (pipe(ends))
		return 1;
	alarm_after(50000);
	say("read", read(ends[0], &byte, 1));
	alarm_after(50000);
	say("usleep", usleep(5000000));
	alarm_after(50000);
	while (!taken)
		asm volatile("pause");
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	taken = 0;
	raise(SIGUSR1);
	printf("blocked: %d\n", taken);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	printf("not any more: %d\n", taken);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	taken = 0;
	raise(SIGUSR1);
	memset(&info, 0, sizeof(info));
	say("sigtimedwait", sigtimedwait(&blocked, &info, &soon));
	printf("of %d, from this process: %d, taken %d\n", info.si_signo, info.si_pid == getpid(), taken);
	say("sigtimedwait again", sigtimedwait(&blocked, &info, &soon));
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	action.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	alarm_after(50000);
	if (pthread_create(&writer, NULL, write_later, &ends[1]))
		return 1;
	say("read, begun anew", read(ends[0], &byte, 1));
	printf("taken %d\n", taken);
	return 0;
}

/* ---- for others to end ---- */

static int spin(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("spinning");
	fflush(stdout);
	for (;;)
		asm volatile("pause");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} deeds[] = {
	{ "arguments", tell_arguments },
	{ "copy", copy_input },
	{ "memory", use_memory },
	{ "lent", lend_pages },
	{ "file", map_a_file },
	{ "nodes", use_nodes },
	{ "pointers", use_bad_pointers },
	{ "fault", fault },
	{ "registers", keep_registers },
	{ "sleep", sleep_a_while },
	{ "time", use_time },
	{ "limits", set_limits },
	{ "threads", use_threads },
	{ "blocked", block_one_thread },
	{ "give-way", give_way },
	{ "mixed", mix_calls },
	{ "queued", queue_signals },
	{ "unknown", call_unknown },
	{ "many-queued", queue_many },
	{ "schedule", set_schedule },
	{ "move", move_about },
	{ "cpus", tell_cpus },
	{ "successive", follow_each_other },
	{ "signals", take_signals },
	{ "spin", spin },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (!strcmp(argv[1], deeds[i].name))
			return deeds[i].run(argc, argv);
	return 99;
}
