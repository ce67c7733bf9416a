/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/maps of a process on an LWK. */
#define _GNU_SOURCE
#include "view_maps.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define PAGE 4096ull
#define NAME_COLUMN 73 /* where a line has the file's name */

enum { AREA_START, AREA_END, AREA_PROTECTION };

typedef unsigned long long number;

/* What lies somewhere, and has a name. */
struct placed {
	uint64_t start;
	uint64_t end;
	const char *name; /* NULL: none */
	const struct program_file *file; /* NULL: of none */
	uint64_t offset;
};

/* Cuts `part` so that it is in or out of `other`: true: in. */
static bool cut(struct placed *part, uint64_t start, uint64_t end)
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

static void name_by_file(struct placed *part, const struct program_file *file, uint64_t base)
{
	unsigned int i;

	for (i = 0; i < file->elf.segment_count; i++) {
		const struct elf_segment *segment = &file->elf.segments[i];
		uint64_t start = (base + segment->address) & ~(PAGE - 1);
		uint64_t end = (base + segment->address + segment->file_size + PAGE - 1) & ~(PAGE - 1);

		if (!segment->file_size || !cut(part, start, end))
			continue;
		part->name = file->path;
		part->file = file;
		part->offset = (segment->offset & ~(PAGE - 1)) + part->start - start;
	}
}

/* From `start` on: as much of the area as is one thing. */
static struct placed part_of(const uint64_t *area, uint64_t start, const struct facts *facts,
			     const struct program *program)
{
	struct placed part = { .start = start, .end = area[AREA_END] };
	const uint64_t *process = facts_next(facts, IKC_FACT_PROCESS, NULL);
	uint64_t heap = process ? process[3] : 0, heap_end = process ? process[4] : 0;

	if (cut(&part, IKC_USER_END - 2 * IKC_USER_STACK_SIZE, IKC_USER_END))
		part.name = "[stack]";
	if (cut(&part, heap, (heap_end + PAGE - 1) & ~(PAGE - 1)))
		part.name = "[heap]";
	name_by_file(&part, &program->main, program->place.main);
	name_by_file(&part, &program->interpreter, program->place.interpreter);
	return part;
}

static void print_part(FILE *out, const struct placed *part, uint64_t protection)
{
	dev_t device = part->file ? part->file->device : 0;
	int length = fprintf(out, "%08llx-%08llx %c%c%cp %08llx %02x:%02x %llu ", (number)part->start,
			     (number)part->end, protection & PROT_READ ? 'r' : '-',
			     protection & PROT_WRITE ? 'w' : '-', protection & PROT_EXEC ? 'x' : '-',
			     (number)part->offset, major(device), minor(device),
			     part->file ? (number)part->file->inode : 0);

	if (part->name)
		fprintf(out, "%*s%s", length < NAME_COLUMN ? NAME_COLUMN - length : 0, "", part->name);
	fputc('\n', out);
}

char *view_maps(const struct facts *facts, const struct program *program, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	for_each_fact(area, facts, IKC_FACT_AREA) {
		uint64_t start = area[AREA_START];

		while (start < area[AREA_END]) {
			struct placed part = part_of(area, start, facts, program);

			print_part(out, &part, area[AREA_PROTECTION]);
			start = part.end;
		}
	}
	return fclose(out) ? NULL : text;
}
