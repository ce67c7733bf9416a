/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a process on an LWK runs: found, checked, and put into its memory. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <sys/types.h>

#include "elf_file.h"
#include "proxy.h"

struct program_file {
	int fd;
	struct elf_file elf;
	uint64_t image[2]; /* a name for its content; 0, 0: it may still change */
	const char *path; /* without symbolic links; empty if it cannot be told */
	dev_t device;
	ino_t inode;
};

/* Pairs of words, as getauxval(3) reads them. */
#define PROGRAM_AUXILIARY 40

struct program_range {
	uint64_t start;
	uint64_t end;
};

/* Where it is in memory. */
struct program_place {
	uint64_t main; /* what is to be added to the file's addresses */
	uint64_t interpreter;
	uint64_t stack; /* where it begins */
	struct program_range arguments; /* their text, in its memory */
	struct program_range environment;
	uint64_t auxiliary[PROGRAM_AUXILIARY];
};

struct program {
	const char *path; /* that was found */
	struct program_file main;
	struct program_file interpreter; /* of main.elf.interpreter_size */
	char **words; /* its arguments; with those of scripts' interpreters before */
	struct program_place place; /* once it has been started */
};

/*
 * Finds it as execvp(3) does, and checks all that can be without an LWK. Exits as env(1) does: 127 if there is no such
 * file, 126 if it cannot be run.
 */
struct program program_find(char **words);

/* Exactly so many bytes, or exits. */
void program_read(const char *path, int fd, void *to, size_t size, off_t offset);

/* CPUs of the partition, a bit each. */
struct program_cpus {
	uint64_t words[IKC_PROCESS_CPU_WORDS];
};

/* Asks for its memory. */
void program_ask(const struct program *program, const struct proxy *proxy);

/* Takes the answers, puts it into the process and lets it begin, on one of those CPUs; an empty set has all. */
void program_start(struct program *program, const struct proxy *proxy, const struct program_cpus *cpus,
		   char **environment);

#endif
