/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded (LD_PRELOAD) for programs that fork workers, where there is no fork: fork() returns as the child, in the one
 * process there is. When the child exits, the stack, the registers, the signals, the heap and the variables are what they were, and
 * fork() returns as the parent, whose child has ended already. What the parent has mapped stays mapped, and as the child has
 * left it. A child's own fork() is refused.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define PARTS_MAX 256
#define MAPPINGS_MAX 1024

struct part {
	char *start;
	size_t size;
	char *copy;
};

static struct {
	struct part parts[PARTS_MAX];
	unsigned int count;
	ucontext_t context;
	struct sigaction actions[NSIG];
	stack_t signal_stack;
} parent;

static char *heap, *heap_end, *stack_top;
static void *mapped[MAPPINGS_MAX]; /* by the parent */
static unsigned int mapped_count;
static volatile bool is_child;
static volatile pid_t child; /* that nobody has waited for; 0: none */
static volatile int child_status;

static void __attribute__((constructor)) begin(void)
{
	extern char **environ;

	stack_top = (char *)environ;
	heap = (char *)sbrk(0) - mallinfo2().arena;
}

/* ---- what is kept ---- */

static void keep(char *start, char *end)
{
	struct part *part = &parent.parts[parent.count++];

	if (parent.count > PARTS_MAX)
		abort();
	*part = (struct part){ .start = start, .size = end - start };
	part->copy = (char *)syscall(SYS_mmap, NULL, part->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (part->copy == MAP_FAILED)
		abort();
	memcpy(part->copy, start, part->size);
}

/* The part of a segment that is not made read-only once a program begins. */
static void keep_segment(const struct dl_phdr_info *object, const ElfW(Phdr) * segment)
{
	char *start = (char *)object->dlpi_addr + segment->p_vaddr, *end = start + segment->p_memsz;

	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *other = &object->dlpi_phdr[i];
		char *other_end = (char *)object->dlpi_addr + other->p_vaddr + other->p_memsz;

		if (other->p_type == PT_GNU_RELRO && other_end > start)
			start = other_end;
	}
	if (start < end && !(start <= (char *)&parent && (char *)&parent < end))
		keep(start, end);
}

static int keep_object(struct dl_phdr_info *object, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	for (int i = 0; i < object->dlpi_phnum; i++)
		if (object->dlpi_phdr[i].p_type == PT_LOAD && object->dlpi_phdr[i].p_flags & PF_W)
			keep_segment(object, &object->dlpi_phdr[i]);
	return 0;
}

static void keep_signals(void)
{
	for (int number = 1; number < NSIG; number++)
		sigaction(number, NULL, &parent.actions[number]);
	sigaltstack(NULL, &parent.signal_stack);
}

static void end_thread(int number)
{
	(void)number;
	syscall(SYS_exit, 0);
}

/* Asks each to end; returns how many there are. */
static unsigned int end_other_threads(void)
{
	pid_t own = (pid_t)syscall(SYS_gettid), process = (pid_t)syscall(SYS_getpid);
	unsigned int count = 0;
	char entries[4096];
	long size;
	int fd = (int)syscall(SYS_open, "/proc/self/task", O_RDONLY | O_DIRECTORY);

	while ((size = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0)
		for (char *at = entries; at < entries + size; at += ((struct dirent64 *)at)->d_reclen) {
			pid_t thread = atoi(((struct dirent64 *)at)->d_name); /* 0: it is no thread's */

			if (!thread || thread == own)
				continue;
			syscall(SYS_tgkill, process, thread, SIGUSR2);
			count++;
		}
	syscall(SYS_close, fd);
	return count;
}

/*
 * With a child its threads are gone. Here one that is about to end would still use what is put back, and one that has not begun
 * what the child has left of its stack. Nobody is told of the last moment of a thread; who is there after 100,000 looks waits
 * for what will never come.
 */
static void await_other_threads(void)
{
	const struct sigaction end = { .sa_handler = end_thread };

	sigaction(SIGUSR2, &end, NULL);
	for (unsigned int looks = 0; looks < 100000 && end_other_threads(); looks++)
		sched_yield();
}

/* On another stack than the one that is put back. */
static void become_parent(void)
{
	await_other_threads();
	syscall(SYS_brk, heap_end);
	for (unsigned int i = 0; i < parent.count; i++) {
		memcpy(parent.parts[i].start, parent.parts[i].copy, parent.parts[i].size);
		syscall(SYS_munmap, parent.parts[i].copy, parent.parts[i].size);
	}
	alarm(0);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &parent.actions[number], NULL);
	sigaltstack(&parent.signal_stack, NULL);
	setcontext(&parent.context);
}

/* ---- as the C library has them ---- */

pid_t fork(void)
{
	static pid_t last = 10000000; /* no process has that number */

	if (is_child) {
		errno = ENOSYS;
		return -1;
	}
	keep_signals();
	is_child = true;
	getcontext(&parent.context);
	if (!is_child)
		return child = ++last;
	parent.count = 0;
	dl_iterate_phdr(keep_object, NULL);
	heap_end = sbrk(0);
	keep(heap, heap_end);
	keep((char *)parent.context.uc_mcontext.gregs[REG_RSP], stack_top);
	return 0;
}

void _exit(int status)
{
	static char stack[64 << 10];
	static ucontext_t context;

	if (!is_child) {
		syscall(SYS_exit_group, status);
		__builtin_unreachable();
	}
	is_child = false;
	child_status = (status & 0xff) << 8;
	getcontext(&context);
	context.uc_stack.ss_sp = stack;
	context.uc_stack.ss_size = sizeof(stack);
	makecontext(&context, become_parent, 0);
	setcontext(&context);
	__builtin_unreachable();
}

void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	void *made = (void *)syscall(SYS_mmap, start, size, protection, flags, fd, offset);

	if (!is_child && made != MAP_FAILED && mapped_count < MAPPINGS_MAX)
		mapped[mapped_count++] = made;
	return made;
}

void *mmap64(void *start, size_t size, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

int munmap(void *start, size_t size)
{
	for (unsigned int i = 0; i < mapped_count; i++)
		if (mapped[i] == start) {
			if (is_child)
				return 0;
			mapped[i] = NULL;
		}
	return syscall(SYS_munmap, start, size);
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	pid_t found = child;

	if (!found || (pid != -1 && pid != found))
		return syscall(SYS_wait4, pid, status, options, usage);
	if (status)
		*status = child_status;
	if (usage)
		memset(usage, 0, sizeof(*usage));
	child = 0;
	return found;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
	return wait4(pid, status, options, NULL);
}

pid_t wait(int *status)
{
	return wait4(-1, status, 0, NULL);
}
