/* SPDX-License-Identifier: Apache-2.0 */
/* lwkexec: runs a Linux program on an LWK, and is its proxy meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "call_places.h"
#include "error.h"
#include "options.h"
#include "program.h"
#include "proxy.h"
#include "workers.h"

#define OWN_FAILURE 125
#define CPUS (64 * IKC_PROCESS_CPU_WORDS)
#define POLL_US 100

static const char usage[] =
	"usage: lwkexec -p PARTITION [--cpus LIST] [--poll US] [--local CALLS] [--offload CALLS]\n"
	"               [--trace | --trace=summary] [--] PROGRAM [ARGUMENTS]\n"
	"       lwkexec -p PARTITION --memory\n"
	"Runs PROGRAM on the LWK of PARTITION; its files, and all else that is Linux's, are those of this process.\n"
	"  --cpus LIST      on these CPUs of the partition, as 1-3,5: a thread on each while there are enough\n"
	"  --poll US        either side looks so long for the other's word before it sleeps: 100 microseconds, if not given;\n"
	"                   0 where the partitions share processors\n"
	"  --local CALLS    the LWK makes these system calls, if it can: names or numbers, as getpid,96\n"
	"  --offload CALLS  this process makes them, if it can; what is said last counts\n"
	"  --trace          each system call, where it was made and how long it took, on standard error\n"
	"  --trace=summary  how many of each, and how long they took\n"
	"  --memory         tells how many processes the LWK has, and how many of its pages are free\n"
	"exit status: that of PROGRAM, or its death by a signal; 125 if lwkexec fails itself, 126 if PROGRAM cannot be\n"
	"run, 127 if it is not there\n";

struct wishes {
	const char *partition;
	struct program_cpus cpus;
	struct call_places places;
	uint64_t poll_us;
	bool memory;
	enum call_trace trace;
	char **words;
};

static const char *value_of(char ***words, const char *name)
{
	if (!*++*words)
		die(EXIT_USAGE, "%s needs a value: `lwkexec --help`", name);
	return **words;
}

/* "1-3,5" */
static struct program_cpus read_cpus(const char *text)
{
	struct program_cpus cpus = { 0 };
	const char *at = text;

	for (;;) {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;
		bool good = end != at && *at != '-' && *at != '+';

		if (good && *end == '-') {
			at = end + 1;
			last = strtoul(at, &end, 10);
			good = end != at && *at != '-' && *at != '+';
		}
		if (!good || last < first || last >= CPUS || (*end && *end != ','))
			die(EXIT_USAGE, "--cpus is \"%s\", but must be CPUs below %d, as 1-3,5", text, CPUS);
		for (; first <= last; first++)
			cpus.words[first / 64] |= 1ull << first % 64;
		if (!*end)
			return cpus;
		at = end + 1;
	}
}

static uint64_t read_poll(const char *text)
{
	const uint64_t most = IKC_PROCESS_LOOK_MAX_NS / 1000;
	char *end;
	unsigned long us = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || us > most)
		die(EXIT_USAGE, "--poll is \"%s\", but must be microseconds, at most %llu", text,
		    (unsigned long long)most);
	return us;
}

static struct wishes read_words(char **words)
{
	struct wishes wishes = { .poll_us = POLL_US };

	for (words++; *words && **words == '-'; words++) {
		const char *word = *words;

		if (!strcmp(word, "--")) {
			words++;
			break;
		}
		if (!strcmp(word, "--help")) {
			fputs(usage, stdout);
			exit(0);
		}
		if (!strcmp(word, "-p") || !strcmp(word, "--partition"))
			wishes.partition = value_of(&words, word);
		else if (!strcmp(word, "--cpus"))
			wishes.cpus = read_cpus(value_of(&words, word));
		else if (!strcmp(word, "--local"))
			call_places_read(&wishes.places, word, value_of(&words, word), false);
		else if (!strcmp(word, "--offload"))
			call_places_read(&wishes.places, word, value_of(&words, word), true);
		else if (!strcmp(word, "--poll"))
			wishes.poll_us = read_poll(value_of(&words, word));
		else if (!strcmp(word, "--trace"))
			wishes.trace = CALL_TRACE_EACH;
		else if (!strcmp(word, "--trace=summary"))
			wishes.trace = CALL_TRACE_SUMMARY;
		else if (!strcmp(word, "--memory"))
			wishes.memory = true;
		else
			die(EXIT_USAGE, "no option \"%s\": `lwkexec --help` lists them", word);
	}
	wishes.words = words;
	if (!wishes.partition)
		die(EXIT_USAGE, "which partition? Name it with -p, as in: lwkexec -p lwk0 ls");
	if (!*words && !wishes.memory)
		die(EXIT_USAGE, "which program? As in: lwkexec -p %s ls -l /", wishes.partition);
	return wishes;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* In lists of processes the proxy goes by the program's name and words, which are in its memory by now. */
static void take_name(char **argv, char **words)
{
	static char own_name[] = "lwkexec";
	char *end = argv[0], *shown = argv[0];
	size_t length = 0, at = 0;
	char *copy;
	int i;

	for (i = 0; argv[i]; i++)
		end = argv[i] + strlen(argv[i]) + 1;
	for (i = 0; words[i]; i++)
		length += strlen(words[i]) + 1;
	copy = malloc(length);
	if (!copy)
		return;
	program_invocation_short_name = own_name; /* it was in argv[0] */
	prctl(PR_SET_NAME, last_part(words[0]));
	for (i = 0; words[i]; i++) {
		strcpy(copy + at, words[i]);
		at += strlen(words[i]) + 1;
	}
	memset(shown, 0, end - shown);
	memcpy(shown, copy, length < (size_t)(end - shown) ? length : (size_t)(end - shown) - 1);
	free(copy);
}

int main(int argc, char **argv)
{
	struct wishes wishes;
	static struct program program;
	struct proxy proxy;

	(void)argc;
	error_only_status = OWN_FAILURE;
	wishes = read_words(argv);
	if (wishes.memory) {
		proxy_tell_memory(wishes.partition);
		return 0;
	}
	program = program_find(wishes.words);
	proxy = proxy_open(&(struct proxy_wishes) {
		.partition = wishes.partition,
		.name = last_part(program.words[0]),
		.traces = wishes.trace != CALL_TRACE_OFF,
		.look_ns = wishes.poll_us * 1000,
	});
	call_places_ask(&wishes.places, &proxy);
	program_ask(&program, &proxy);
	proxy_take_process(&proxy);
	call_places_take(&wishes.places, &proxy);
	program_start(&program, &proxy, &wishes.cpus, environ);
	take_name(argv, program.words);
	workers_run(&proxy, &program, wishes.trace, wishes.poll_us * 1000);
}
