/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a process on an LWK runs. */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "loaded.h"

#define PAGE 4096ull
#define SCRIPTS_MAX 4 /* that name each other as their interpreters, as in Linux */
#define SCRIPT_LINE_MAX 256

#define CANNOT_RUN 126
#define NOT_FOUND 127

/* Where a program that can be anywhere is put: its heap has room behind it. */
#define MOVED_START 0x100000000000ull

/* At the same place each time, so that it is the same image; most of what the program maps lies behind it. */
#define INTERPRETER_START 0x3ff000000000ull

/* The stack has a large page of its own, below the last one. */
#define STACK_TOP (IKC_USER_END - IKC_USER_STACK_SIZE)
#define ARGUMENTS_MAX (IKC_USER_STACK_SIZE / 4)

#define HWCAP2_FSGSBASE_BIT (1 << 1) /* the LWK leaves the instructions off */

/* As a shell on Linux says it: the words of glibc, where musl has others. */
static const char *words_for(int error)
{
	switch (error) {
	case EIO:
		return "Input/output error";
	case ELIBBAD:
		return "Accessing a corrupted shared library";
	case ELOOP:
		return "Too many levels of symbolic links";
	case ENAMETOOLONG:
		return "File name too long";
	default:
		return strerror(error);
	}
}

__attribute__((noreturn)) static void cannot_run(const char *path, int error)
{
	error_only_status = error == ENOENT ? NOT_FOUND : CANNOT_RUN;
	die(EXIT_FAILED, "%s: %s", path, words_for(error));
}

/* ---- find ---- */

static int check_access(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return errno;
	if (!S_ISREG(status.st_mode))
		return EACCES;
	return access(path, X_OK) ? errno : 0;
}

/* As execvp(3): the first in PATH that can be run; else the reason for the last that could not. */
static const char *find_path(const char *name)
{
	const char *folders = getenv("PATH") ?: "/bin:/usr/bin";
	int error = ENOENT;

	if (strchr(name, '/'))
		return name;
	while (*folders) {
		size_t length = strcspn(folders, ":");
		char *path;
		int result;

		if (asprintf(&path, "%.*s%s%s", (int)length, folders, length ? "/" : "", name) < 0)
			die(EXIT_FAILED, "no memory");
		result = check_access(path);
		if (!result)
			return path;
		error = result == EACCES ? EACCES : error;
		free(path);
		folders += length + (folders[length] == ':');
	}
	cannot_run(name, error);
}

void program_read(const char *path, int fd, void *to, size_t size, off_t offset)
{
	ssize_t got = pread(fd, to, size, offset);

	if (got != (ssize_t)size)
		cannot_run(path, got < 0 ? errno : ENOEXEC);
}

/* Of the file as it is now, and of no other: two chains over all that tells a file from others, each its own way. */
static void name_image(const struct stat *status, uint64_t image[2])
{
	const uint64_t words[] = {
		status->st_dev, status->st_ino, status->st_size, status->st_mtim.tv_sec, status->st_mtim.tv_nsec,
		status->st_ctim.tv_sec, status->st_ctim.tv_nsec,
	};
	size_t i;

	/* what was changed just now may change again without another time of change */
	if (time(NULL) - status->st_ctim.tv_sec < 2)
		return;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		image[0] = (image[0] ^ words[i]) * 0x9e3779b97f4a7c15ull;
		image[0] ^= image[0] >> 32;
		image[1] = (image[1] + words[i]) * 0xc2b2ae3d27d4eb4full;
		image[1] ^= image[1] >> 29;
	}
}

/* As the kernel knows the file; empty if it does not say. */
static const char *tell_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path));
	return (length > 0 ? strndup(path, length) : NULL) ?: "";
}

static struct program_file read_file(const char *path, int fd, const char *start, size_t length)
{
	struct program_file file = { .fd = fd };
	Elf64_Phdr *headers;
	Elf64_Ehdr header;
	struct stat status;
	int error = elf_check_header(start, length, &header);

	if (error)
		cannot_run(path, error);
	headers = calloc(header.e_phnum, sizeof(*headers));
	if (!headers || fstat(fd, &status))
		die(EXIT_FAILED, "%s: %s", path, strerror(errno));
	file.path = tell_path(fd);
	file.device = status.st_dev;
	file.inode = status.st_ino;
	program_read(path, fd, headers, header.e_phnum * sizeof(*headers), header.e_phoff);
	error = elf_read_segments(&header, headers, status.st_size, &file.elf);
	free(headers);
	if (error)
		cannot_run(path, error);
	name_image(&status, file.image);
	return file;
}

static int open_program(const char *path)
{
	int error = check_access(path);
	int fd = error ? -1 : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		cannot_run(path, error ? error : errno);
	return fd;
}

/* "#! /bin/sh -e": the words become /bin/sh, -e, the script, and what stood behind it. */
static char **words_of_script(const char *path, char *line, char **words)
{
	char *name = line + 2 + strspn(line + 2, " \t");
	char *end = name + strcspn(name, "\n");
	char *argument;
	char **longer;
	size_t count, at = 0;

	while (end > name && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';
	if (!*name)
		cannot_run(path, ENOEXEC);
	argument = name + strcspn(name, " \t");
	if (*argument) {
		*argument++ = '\0';
		argument += strspn(argument, " \t");
	}
	for (count = 0; words[count]; count++)
		;
	longer = calloc(count + 3, sizeof(*longer));
	if (!longer)
		die(EXIT_FAILED, "no memory");
	longer[at++] = strdup(name);
	if (*argument)
		longer[at++] = strdup(argument);
	longer[at++] = strdup(path);
	memcpy(longer + at, words + 1, (count - 1) * sizeof(*words));
	return longer;
}

/* What is wrong with it is told by the errnos that Linux has for it. */
static struct program_file find_interpreter(const char *path, const struct program_file *main)
{
	char name[PATH_MAX] = "", start[SCRIPT_LINE_MAX];
	Elf64_Ehdr header;
	ssize_t length;
	int fd;

	program_read(path, main->fd, name, main->elf.interpreter_size, main->elf.interpreter_offset);
	if (name[main->elf.interpreter_size - 1])
		cannot_run(path, ENOEXEC);
	fd = open_program(name);
	length = pread(fd, start, sizeof(start), 0);
	if (length < (ssize_t)sizeof(header))
		cannot_run(path, EIO);
	if (elf_check_header(start, length, &header))
		cannot_run(path, ELIBBAD);
	return read_file(name, fd, start, length);
}

struct program program_find(char **words)
{
	struct program program = { .words = words, .path = find_path(words[0]) };
	char start[SCRIPT_LINE_MAX + 1];
	ssize_t length;
	int scripts;

	for (scripts = 0;; scripts++) {
		int fd = open_program(program.path);

		length = pread(fd, start, SCRIPT_LINE_MAX, 0);
		if (length < 0)
			cannot_run(program.path, errno);
		start[length] = '\0';
		if (length < 2 || memcmp(start, "#!", 2)) {
			program.main = read_file(program.path, fd, start, length);
			break;
		}
		close(fd);
		if (scripts == SCRIPTS_MAX)
			cannot_run(program.path, ELOOP);
		program.words = words_of_script(program.path, start, program.words);
		program.path = program.words[0];
	}
	if (program.main.elf.interpreter_size)
		program.interpreter = find_interpreter(program.path, &program.main);
	return program;
}

/* ---- stack ---- */

/* Grows downwards, in the program's own memory. */
struct stack {
	uint64_t at;
	uint64_t least;
};

static uint64_t push(struct stack *stack, const void *bytes, size_t size)
{
	if (size > stack->at - stack->least)
		die(EXIT_FAILED, "arguments and environment: %s", strerror(E2BIG));
	stack->at -= size;
	memcpy((void *)stack->at, bytes, size);
	return stack->at;
}

static uint64_t *push_strings(struct stack *stack, char **strings, size_t *count, struct program_range *range)
{
	uint64_t *addresses;
	size_t i;

	for (*count = 0; strings[*count]; ++*count)
		;
	addresses = calloc(*count + 1, sizeof(*addresses));
	if (!addresses)
		die(EXIT_FAILED, "no memory");
	range->end = stack->at;
	for (i = *count; i-- > 0;)
		addresses[i] = push(stack, strings[i], strlen(strings[i]) + 1);
	range->start = stack->at;
	return addresses;
}

/* As the kernel leaves it to a program (System V ABI, x86-64, 3.4.1): argc, argv, envp, auxv. */
static uint64_t build_stack(struct program *program, char **environment)
{
	const struct elf_file *elf = &program->main.elf;
	struct program_place *place = &program->place;
	struct stack stack = { STACK_TOP, STACK_TOP - ARGUMENTS_MAX };
	uint64_t path = push(&stack, program->path, strlen(program->path) + 1);
	uint64_t platform = push(&stack, "x86_64", sizeof("x86_64"));
	size_t argument_count, variable_count;
	uint64_t *variables = push_strings(&stack, environment, &variable_count, &place->environment);
	uint64_t *arguments = push_strings(&stack, program->words, &argument_count, &place->arguments);
	char noise[16];
	uint64_t count;

	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		die(EXIT_FAILED, "getrandom: %s", strerror(errno));
	const uint64_t auxiliary[] = {
		AT_PHDR, elf->headers ? place->main + elf->headers : 0,
		AT_PHENT, sizeof(Elf64_Phdr),
		AT_PHNUM, elf->header_count,
		AT_PAGESZ, PAGE,
		AT_BASE, place->interpreter,
		AT_FLAGS, 0,
		AT_ENTRY, place->main + elf->entry,
		AT_UID, getuid(),
		AT_EUID, geteuid(),
		AT_GID, getgid(),
		AT_EGID, getegid(),
		AT_SECURE, 0,
		AT_CLKTCK, 100,
		AT_HWCAP, getauxval(AT_HWCAP),
		AT_HWCAP2, getauxval(AT_HWCAP2) & ~(unsigned long)HWCAP2_FSGSBASE_BIT,
		AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ),
		AT_PLATFORM, platform,
		AT_RANDOM, push(&stack, noise, sizeof(noise)),
		AT_EXECFN, path,
		AT_NULL, 0,
	};

	_Static_assert(sizeof(auxiliary) == sizeof(place->auxiliary), "room for all of them");
	memcpy(place->auxiliary, auxiliary, sizeof(auxiliary));

	/* all words together, argc too, end at a multiple of 16 */
	stack.at &= ~15ull;
	count = argument_count + 1 + variable_count + 1 + 1;
	if (count % 2)
		stack.at -= 8;
	push(&stack, auxiliary, sizeof(auxiliary));
	push(&stack, variables, (variable_count + 1) * sizeof(*variables));
	push(&stack, arguments, (argument_count + 1) * sizeof(*arguments));
	count = argument_count;
	push(&stack, &count, sizeof(count));
	free(variables);
	free(arguments);
	return stack.at;
}

static struct loaded place_main(const struct program *program)
{
	return loaded_place(&program->main, program->path, MOVED_START);
}

static struct loaded place_interpreter(const struct program *program)
{
	return loaded_place(&program->interpreter, "its interpreter", INTERPRETER_START);
}

/* What is to be protected was not touched here, or is not reached from here any more. Returns how many answers are due. */
static unsigned int protect(const struct proxy *proxy, const struct loaded *loaded)
{
	if (loaded_is_touched(loaded))
		proxy_zap(proxy, IKC_USER_START, IKC_USER_END - IKC_USER_START);
	return loaded_protect(proxy, loaded);
}

static void ask_to_start(const struct proxy *proxy, uint64_t entry, uint64_t stack, uint64_t heap,
			 const struct program_cpus *cpus)
{
	proxy_ask(proxy, &(struct ikc_process_message) {
		.kind = IKC_PROCESS_START,
		.words = { entry, stack, heap, cpus->words[0], cpus->words[1], cpus->words[2], cpus->words[3] },
	});
}

static void take_start(const struct proxy *proxy)
{
	struct ikc_process_message answer;
	int64_t result = proxy_take_answer(proxy, &answer);

	if (result == -ENODEV)
		die(EXIT_FAILED, "%s has none of those CPUs", proxy->partition);
	if (result)
		die(EXIT_FAILED, "%s does not start it: %s", proxy->partition, strerror(-result));
}

void program_ask(const struct program *program, const struct proxy *proxy)
{
	struct loaded main = place_main(program), interpreter = place_interpreter(program);

	loaded_ask(proxy, &main);
	loaded_ask(proxy, &interpreter);
	memory_ask(proxy, STACK_TOP - IKC_USER_STACK_SIZE, IKC_USER_STACK_SIZE, NULL);
}

void program_start(struct program *program, const struct proxy *proxy, const struct program_cpus *cpus,
		   char **environment)
{
	struct loaded main = place_main(program), interpreter = place_interpreter(program);
	bool interpreted = program->main.elf.interpreter_size;
	const struct loaded *first = interpreted ? &interpreter : &main;
	struct program_place *place = &program->place;
	unsigned int protected;

	loaded_take(proxy, &main);
	loaded_fill(&main);
	loaded_take(proxy, &interpreter);
	if (interpreted)
		loaded_fill(&interpreter);
	memory_take(proxy, IKC_USER_STACK_SIZE, "the stack"); /* it has been zeroed meanwhile */
	place->main = main.base;
	place->interpreter = interpreted ? interpreter.base : 0;
	place->stack = build_stack(program, environment);
	if (interpreted) /* both together may be more than the channel holds */
		loaded_take_protection(proxy, protect(proxy, &interpreter));
	protected = protect(proxy, &main);
	ask_to_start(proxy, first->base + first->file->elf.entry, place->stack, main.base + program->main.elf.end, cpus);
	loaded_take_protection(proxy, protected);
	take_start(proxy);
}
