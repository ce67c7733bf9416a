/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/status of a process on an LWK, or of one of its threads. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu_text.h"
#include "host_file.h"
#include "view_process.h"

#define KIB(bytes) ((number)(bytes) >> 10)
#define PAGE 4096

typedef unsigned long long number;

static void print_memory_lines(FILE *out, const struct view_subject *subject)
{
	const struct facts *facts = subject->facts;
	number all = KIB(view_bytes(facts, 0)), pages = view_process(facts)[PROCESS_PAGES] * (PAGE >> 10);

	fprintf(out, "VmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmLck:\t       0 kB\nVmPin:\t       0 kB\n", all, all);
	fprintf(out, "VmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\nRssAnon:\t%8llu kB\n", pages, pages, pages);
	fprintf(out, "RssFile:\t       0 kB\nRssShmem:\t       0 kB\n");
	fprintf(out, "VmData:\t%8llu kB\nVmStk:\t%8llu kB\nVmExe:\t%8llu kB\nVmLib:\t       0 kB\n",
		KIB(view_bytes(facts, PROT_WRITE)), KIB(IKC_USER_STACK_SIZE), KIB(view_bytes(facts, PROT_EXEC)));
	fprintf(out, "VmPTE:\t       0 kB\nVmSwap:\t       0 kB\n");
}

static void print_signal_lines(FILE *out, const struct view_subject *subject)
{
	const uint64_t *process = view_process(subject->facts), *thread = subject->thread;

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

static void print_allowed_lines(FILE *out, const struct view_subject *subject)
{
	const struct facts *facts = subject->facts;
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
	void (*print)(FILE *out, const struct view_subject *subject);
};

static void print_state_line(FILE *out, const struct view_subject *subject)
{
	bool runs = subject->thread[THREAD_STATE] == IKC_THREAD_RUNS;

	fprintf(out, "State:\t%s\n", runs ? "R (running)" : "S (sleeping)");
}

static void print_id_line(FILE *out, const struct view_subject *subject)
{
	fprintf(out, "Pid:\t%llu\n", (number)subject->thread[THREAD_ID]);
}

static void print_threads_line(FILE *out, const struct view_subject *subject)
{
	fprintf(out, "Threads:\t%llu\n", (number)view_process(subject->facts)[PROCESS_THREADS]);
}

static const struct status_group status_groups[] = {
	{ { "State:" }, print_state_line },
	{ { "Pid:" }, print_id_line },
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
static void print_status(FILE *out, const char *host, const struct view_subject *subject)
{
	bool printed[STATUS_GROUPS] = { 0 };

	for_each_line(line, length, host) {
		size_t group = group_of(line);

		if (group == STATUS_GROUPS) {
			fwrite(line, 1, length, out);
		} else if (!printed[group]) {
			status_groups[group].print(out, subject);
			printed[group] = true;
		}
	}
}

char *view_status(const struct view_subject *subject, size_t *length)
{
	char *host = host_file_read("/proc/self/status"), *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;

	if (out)
		print_status(out, host, subject);
	free(host);
	return !out || fclose(out) ? NULL : text;
}
