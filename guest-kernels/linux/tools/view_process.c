/* SPDX-License-Identifier: Apache-2.0 */
/* A process on an LWK as Linux writes it. */
#define _GNU_SOURCE
#include "view_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu_text.h"
#include "host_file.h"
#include "program_memory.h"

#define PAGE 4096ull
#define PAGES(bytes) ((bytes) / PAGE)
#define KIB(bytes) ((bytes) >> 10)
#define TICK_NS 10000000 /* USER_HZ is 100 */

enum { PROCESS_THREADS, PROCESS_NS, PROCESS_PAGES, PROCESS_HEAP, PROCESS_HEAP_END, PROCESS_PENDING, PROCESS_IGNORED,
       PROCESS_CAUGHT };
enum { THREAD_ID, THREAD_CPU, THREAD_STATE, THREAD_NS, THREAD_OFFLOADS, THREAD_PENDING, THREAD_BLOCKED };

typedef unsigned long long number;

static const uint64_t nothing[IKC_PROCESS_WORDS];

static const uint64_t *process_of(const struct facts *facts)
{
	return facts_next(facts, IKC_FACT_PROCESS, NULL) ?: nothing;
}

/* The first one, by which the process goes; another one, if that has ended. */
static const uint64_t *first_thread(const struct facts *facts)
{
	for_each_fact(thread, facts, IKC_FACT_THREAD)
		if (thread[THREAD_ID] == (uint64_t)getpid())
			return thread;
	return facts_next(facts, IKC_FACT_THREAD, NULL) ?: nothing;
}

/* Of all areas that may be used in one of these ways; 0: of all. */
static number bytes_with(const struct facts *facts, uint64_t protection)
{
	number bytes = 0;

	for_each_fact(area, facts, IKC_FACT_AREA)
		if (!protection || area[2] & protection)
			bytes += area[1] - area[0];
	return bytes;
}

/* ---- numbers ---- */

char *view_statm(const struct facts *facts, const struct program *program, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	(void)program;
	if (!out)
		return NULL;
	fprintf(out, "%llu %llu 0 %llu 0 %llu 0\n", PAGES(bytes_with(facts, 0)),
		(number)process_of(facts)[PROCESS_PAGES], PAGES(bytes_with(facts, PROT_EXEC)),
		PAGES(bytes_with(facts, PROT_WRITE)));
	return fclose(out) ? NULL : text;
}

/* Fields of proc(5), /proc/[pid]/stat, by their numbers there. */
static bool stat_field(unsigned int at, const struct facts *facts, const struct program *program, number *value)
{
	const uint64_t *process = process_of(facts), *thread = first_thread(facts);

	switch (at) {
	case 10: /* faults: there are none */
	case 12:
	case 15: /* time in the kernel */
		*value = 0;
		return true;
	case 14:
		*value = process[PROCESS_NS] / TICK_NS;
		return true;
	case 20:
		*value = process[PROCESS_THREADS];
		return true;
	case 23:
		*value = bytes_with(facts, 0);
		return true;
	case 24:
		*value = process[PROCESS_PAGES];
		return true;
	case 26:
		*value = program->place.main + program->main.elf.start;
		return true;
	case 27:
		*value = program->place.main + program->main.elf.end;
		return true;
	case 28:
		*value = program->place.stack;
		return true;
	case 31:
		*value = process[PROCESS_PENDING] | thread[THREAD_PENDING];
		return true;
	case 32:
		*value = thread[THREAD_BLOCKED];
		return true;
	case 33:
		*value = process[PROCESS_IGNORED];
		return true;
	case 34:
		*value = process[PROCESS_CAUGHT];
		return true;
	case 39:
		*value = thread[THREAD_CPU];
		return true;
	case 45: /* the data of the program, which has no place of its own */
	case 46:
		*value = 0;
		return true;
	case 47:
		*value = process[PROCESS_HEAP];
		return true;
	case 48:
		*value = program->place.arguments.start;
		return true;
	case 49:
		*value = program->place.arguments.end;
		return true;
	case 50:
		*value = program->place.environment.start;
		return true;
	case 51:
		*value = program->place.environment.end;
		return true;
	default:
		return false;
	}
}

/* The second field is a name in brackets, which may have anything in it, brackets too. The third is the state. */
static void print_stat(FILE *out, char *host, const struct facts *facts, const struct program *program)
{
	char *rest = strrchr(host, ')'), *word, *kept = NULL;
	unsigned int at = 3;
	number value;

	if (!rest)
		return;
	*rest++ = '\0';
	fprintf(out, "%s) %c", host, first_thread(facts)[THREAD_STATE] == IKC_THREAD_RUNS ? 'R' : 'S');
	strtok_r(rest, " \n", &kept);
	while ((word = strtok_r(NULL, " \n", &kept))) {
		if (stat_field(++at, facts, program, &value))
			fprintf(out, " %llu", value);
		else
			fprintf(out, " %s", word);
	}
	fputc('\n', out);
}

char *view_stat(const struct facts *facts, const struct program *program, size_t *length)
{
	char *host = host_file_read("/proc/self/stat"), *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;

	if (out)
		print_stat(out, host, facts, program);
	free(host);
	return !out || fclose(out) ? NULL : text;
}

/* ---- status ---- */

static void print_memory_lines(FILE *out, const struct facts *facts)
{
	number all = KIB(bytes_with(facts, 0)), pages = process_of(facts)[PROCESS_PAGES] * (PAGE >> 10);

	fprintf(out, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n", all, all);
	fprintf(out, "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\n", pages, pages, pages);
	fprintf(out, "RssFile:\t       0 kB\nRssShmem:\t       0 kB\n");
	fprintf(out, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t       0 kB\n",
		KIB(bytes_with(facts, PROT_WRITE)), KIB(IKC_USER_STACK_SIZE), KIB(bytes_with(facts, PROT_EXEC)));
	fprintf(out, "VmPTE:\t       0 kB\nVmSwap:\t       0 kB\n");
}

static void print_signal_lines(FILE *out, const struct facts *facts)
{
	const uint64_t *process = process_of(facts), *thread = first_thread(facts);

	fprintf(out, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		(number)thread[THREAD_PENDING], (number)process[PROCESS_PENDING], (number)thread[THREAD_BLOCKED],
		(number)process[PROCESS_IGNORED], (number)process[PROCESS_CAUGHT]);
}

static void print_set_lines(FILE *out, const char *name, const struct cpu_text_set *set, unsigned int count)
{
	char *mask = cpu_text_mask(set, count), *list = cpu_text_list(set);

	if (mask && list)
		fprintf(out, "%s:\t%s%s_list:\t%s", name, mask, name, list);
	free(mask);
	free(list);
}

static void print_allowed_lines(FILE *out, const struct facts *facts)
{
	struct cpu_text_set cpus = { 0 }, nodes = { 0 };
	unsigned int count = 0;

	for_each_fact(told, facts, IKC_FACT_ALLOWED) {
		unsigned int i;

		for (i = 0; i < IKC_FACT_ALLOWED_CPUS; i++)
			if (told[1 + i / 64] >> i % 64 & 1)
				cpu_text_add(&cpus, told[0] + i);
	}
	for_each_fact(cpu, facts, IKC_FACT_CPU)
		count += count < CPU_TEXT_MAX;
	for_each_fact(node, facts, IKC_FACT_NODE)
		cpu_text_add(&nodes, node[0]);
	print_set_lines(out, "Cpus_allowed", &cpus, count);
	print_set_lines(out, "Mems_allowed", &nodes, 64);
}

/* A group of lines that are told here; each begins with the first of these words. */
struct status_group {
	const char *prefixes[4];
	void (*print)(FILE *out, const struct facts *facts);
};

static void print_state_line(FILE *out, const struct facts *facts)
{
	bool runs = first_thread(facts)[THREAD_STATE] == IKC_THREAD_RUNS;

	fprintf(out, "State:\t%s\n", runs ? "R (running)" : "S (sleeping)");
}

static void print_threads_line(FILE *out, const struct facts *facts)
{
	fprintf(out, "Threads:\t%llu\n", (number)process_of(facts)[PROCESS_THREADS]);
}

static const struct status_group status_groups[] = {
	{ { "State:" }, print_state_line },
	{ { "Vm", "Rss" }, print_memory_lines },
	{ { "Threads:" }, print_threads_line },
	{ { "SigPnd:", "ShdPnd:", "SigBlk:", "Sig" }, print_signal_lines },
	{ { "Cpus_allowed", "Mems_allowed" }, print_allowed_lines },
};

#define STATUS_GROUPS (sizeof(status_groups) / sizeof(status_groups[0]))

/* STATUS_GROUPS: none. SigQ is a limit of the user, and the host's. */
static size_t group_of(const char *line)
{
	size_t group, i;

	for (group = 0; group < STATUS_GROUPS && strncmp(line, "SigQ:", 5); group++)
		for (i = 0; i < 4 && status_groups[group].prefixes[i]; i++)
			if (!strncmp(line, status_groups[group].prefixes[i], strlen(status_groups[group].prefixes[i])))
				return group;
	return STATUS_GROUPS;
}

/* The host's lines, and in place of the first of each group what the LWK tells of that. */
static void print_status(FILE *out, const char *host, const struct facts *facts)
{
	bool printed[STATUS_GROUPS] = { 0 };

	for_each_line(line, length, host) {
		size_t group = group_of(line);

		if (group == STATUS_GROUPS) {
			fwrite(line, 1, length, out);
		} else if (!printed[group]) {
			status_groups[group].print(out, facts);
			printed[group] = true;
		}
	}
}

char *view_status(const struct facts *facts, const struct program *program, size_t *length)
{
	char *host = host_file_read("/proc/self/status"), *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;

	(void)program;
	if (out)
		print_status(out, host, facts);
	free(host);
	return !out || fclose(out) ? NULL : text;
}

/* ---- what the proxy has given to it ---- */

char *view_text_of(const struct program_range *range, size_t *length)
{
	char *text = malloc(range->end - range->start + 1);

	*length = range->end - range->start;
	if (text && !program_memory_read(range->start, text, *length))
		*length = 0; /* it has unmapped it */
	return text;
}

char *view_auxv(const struct program *program, size_t *length)
{
	char *text = malloc(sizeof(program->place.auxiliary));

	*length = sizeof(program->place.auxiliary);
	return text ? memcpy(text, program->place.auxiliary, *length) : NULL;
}
