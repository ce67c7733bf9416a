/* SPDX-License-Identifier: Apache-2.0 */
/* A process on an LWK as Linux writes it. */
#define _GNU_SOURCE
#include "view_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host_file.h"
#include "program_memory.h"

#define PAGE 4096ull
#define PAGES(bytes) ((bytes) / PAGE)
#define TICK_NS 10000000 /* USER_HZ is 100 */


typedef unsigned long long number;

static const uint64_t nothing[IKC_PROCESS_WORDS];

const uint64_t *view_process(const struct facts *facts)
{
	return facts_next(facts, IKC_FACT_PROCESS, NULL) ?: nothing;
}

const uint64_t *view_thread(const struct facts *facts, uint64_t id)
{
	for_each_fact(thread, facts, IKC_FACT_THREAD)
		if (thread[THREAD_ID] == id)
			return thread;
	return facts_next(facts, IKC_FACT_THREAD, NULL) ?: nothing;
}

uint64_t view_bytes(const struct facts *facts, uint64_t protection)
{
	uint64_t bytes = 0;

	for_each_fact(area, facts, IKC_FACT_AREA)
		if (!protection || area[2] & protection)
			bytes += area[1] - area[0];
	return bytes;
}

/* ---- numbers ---- */

char *view_statm(const struct facts *facts, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	fprintf(out, "%llu %llu 0 %llu 0 %llu 0\n", (number)PAGES(view_bytes(facts, 0)),
		(number)view_process(facts)[PROCESS_PAGES], (number)PAGES(view_bytes(facts, PROT_EXEC)),
		(number)PAGES(view_bytes(facts, PROT_WRITE)));
	return fclose(out) ? NULL : text;
}

/* Fields of proc(5), /proc/[pid]/stat, by their numbers there. */
static bool stat_field(unsigned int at, const struct view_subject *subject, number *value)
{
	const uint64_t *process = view_process(subject->facts), *thread = subject->thread;
	const struct program *program = subject->program;

	switch (at) {
	case 10: /* faults: there are none */
	case 12:
	case 15: /* time in the kernel */
		*value = 0;
		return true;
	case 14:
		*value = (subject->is_process ? process[PROCESS_NS] : thread[THREAD_NS]) / TICK_NS;
		return true;
	case 20:
		*value = process[PROCESS_THREADS];
		return true;
	case 23:
		*value = view_bytes(subject->facts, 0);
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
static void print_stat(FILE *out, char *host, const struct view_subject *subject)
{
	char *rest = strrchr(host, ')'), *name = strchr(host, '('), *word, *kept = NULL;
	unsigned int at = 3;
	number value;

	if (!rest || !name)
		return;
	*rest++ = '\0';
	fprintf(out, "%llu %s) %c", (number)subject->thread[THREAD_ID], name,
		subject->thread[THREAD_STATE] == IKC_THREAD_RUNS ? 'R' : 'S');
	strtok_r(rest, " \n", &kept);
	while ((word = strtok_r(NULL, " \n", &kept))) {
		if (stat_field(++at, subject, &value))
			fprintf(out, " %llu", value);
		else
			fprintf(out, " %s", word);
	}
	fputc('\n', out);
}

char *view_stat(const struct view_subject *subject, size_t *length)
{
	char *host = host_file_read("/proc/self/stat"), *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;

	if (out)
		print_stat(out, host, subject);
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
