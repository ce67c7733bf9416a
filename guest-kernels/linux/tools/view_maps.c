/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps of a process on an LWK. */
#define _GNU_SOURCE
#include "view_maps.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "file_areas.h"

#define PAGE 4096ull
#define NAME_COLUMN 73 /* where a line has the file's name */

enum { PROCESS_HEAP = 3, PROCESS_HEAP_END };
enum { AREA_START, AREA_END, AREA_PROTECTION };

typedef unsigned long long number;

/* As much of an area as is one thing. */
struct part {
	uint64_t start;
	uint64_t end;
	const char *name; /* NULL: none */
	const struct file_area *file; /* NULL: of none */
};

/* Makes it end where it stops to be in a range, or not to be: true: it is in. */
static bool cut(struct part *part, uint64_t start, uint64_t end)
{
	if (part->start < start) {
		part->end = part->end < start ? part->end : start;
		return false;
	}
	if (part->start >= end)
		return false;
	part->end = part->end < end ? part->end : end;
	return true;
}

static void cut_at_files(struct part *part, const struct file_areas *files)
{
	size_t i;

	for (i = 0; i < files->count; i++) {
		const struct file_area *file = &files->all[i];

		if (!cut(part, file->start, file->end))
			continue;
		part->name = file->path;
		part->file = file;
	}
}

static void print_part(FILE *out, const struct part *part, uint64_t protection)
{
	const struct file_area *file = part->file;
	dev_t device = file ? file->device : 0;
	int length = fprintf(out, "%08llx-%08llx %c%c%cp %08llx %02x:%02x %llu ", (number)part->start,
			     (number)part->end, protection & PROT_READ ? 'r' : '-',
			     protection & PROT_WRITE ? 'w' : '-', protection & PROT_EXEC ? 'x' : '-',
			     file ? (number)(file->offset + part->start - file->start) : 0, major(device),
			     minor(device), file ? (number)file->inode : 0);

	if (part->name)
		fprintf(out, "%*s%s", length < NAME_COLUMN ? NAME_COLUMN - length : 0, "", part->name);
	fputc('\n', out);
}

/* The heap begins behind the program's data, of which the last page may be the file's and more. */
static void print_area(FILE *out, const uint64_t *area, const uint64_t *process, const struct file_areas *files)
{
	uint64_t heap_end = (process[PROCESS_HEAP_END] + PAGE - 1) & ~(PAGE - 1);
	struct part part = { .start = area[AREA_START] };

	for (; part.start < area[AREA_END]; part.start = part.end) {
		part = (struct part) { .start = part.start, .end = area[AREA_END] };
		if (cut(&part, IKC_USER_END - 2 * IKC_USER_STACK_SIZE, IKC_USER_END - IKC_USER_STACK_SIZE))
			part.name = "[stack]";
		if (cut(&part, process[PROCESS_HEAP], heap_end))
			part.name = "[heap]";
		cut_at_files(&part, files);
		print_part(out, &part, area[AREA_PROTECTION]);
	}
}

char *view_maps(const struct facts *facts, size_t *length)
{
	const uint64_t *process = facts_next(facts, IKC_FACT_PROCESS, NULL);
	struct file_areas files;
	char *text = NULL;
	FILE *out = process ? open_memstream(&text, length) : NULL;

	if (!out)
		return NULL;
	files = file_areas_hold();
	for_each_fact(area, facts, IKC_FACT_AREA)
		print_area(out, area, process, &files);
	file_areas_release();
	return fclose(out) ? NULL : text;
}
