/* SPDX-License-Identifier: Apache-2.0 */
/* Files in the memory of a process on an LWK. */
#include "loaded.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "file_areas.h"

#define PAGE 4096ull

void memory_ask(const struct proxy *proxy, uint64_t start, uint64_t size, const uint64_t image[2])
{
	proxy_ask(proxy, &(struct ikc_process_message) {
		.kind = IKC_PROCESS_MAP,
		.words = { start, size, PROT_READ | PROT_WRITE, image ? image[0] : 0, image ? image[1] : 0 },
	});
}

bool memory_take(const struct proxy *proxy, uint64_t size, const char *what)
{
	struct ikc_process_message answer;
	int64_t address = proxy_take_answer(proxy, &answer);

	if (address < 0)
		die(EXIT_FAILED, "%s has no %llu KiB for %s: %s", proxy->partition,
		    (unsigned long long)size >> 10, what, strerror(-address));
	return answer.words[0];
}

struct loaded loaded_place(const struct program_file *file, const char *name, uint64_t start)
{
	const struct elf_file *elf = &file->elf;
	struct loaded loaded = { .file = file, .name = name, .image_end = elf->end };
	unsigned int i;

	loaded.base = elf->moves ? start - elf->start : 0;
	for (i = 0; i < elf->segment_count; i++)
		if (elf->segments[i].protection & PROT_WRITE) {
			loaded.image_end = elf->segments[i].address & ~(PAGE - 1);
			break;
		}
	return loaded;
}

void loaded_ask(const struct proxy *proxy, const struct loaded *loaded)
{
	const struct elf_file *elf = &loaded->file->elf;

	if (loaded->image_end > elf->start)
		memory_ask(proxy, loaded->base + elf->start, loaded->image_end - elf->start,
			       loaded->file->image);
	if (elf->end > loaded->image_end)
		memory_ask(proxy, loaded->base + loaded->image_end, elf->end - loaded->image_end, NULL);
}

void loaded_take(const struct proxy *proxy, struct loaded *loaded)
{
	const struct elf_file *elf = &loaded->file->elf;

	if (loaded->image_end > elf->start)
		loaded->image_is_there = memory_take(proxy, loaded->image_end - elf->start, loaded->name);
	if (elf->end > loaded->image_end)
		memory_take(proxy, elf->end - loaded->image_end, loaded->name);
}

/* Whole pages of the file are there, as if they had been mapped. */
static void note_segment(const struct program_file *file, const struct elf_segment *segment, uint64_t address)
{
	uint64_t inside = address & (PAGE - 1);

	if (segment->file_size)
		file_areas_add(&(struct file_area) {
			.start = address - inside,
			.end = (address + segment->file_size + PAGE - 1) & ~(PAGE - 1),
			.offset = segment->offset - inside,
			.device = file->device,
			.inode = file->inode,
			.path = file->path,
		});
}

void loaded_fill(const struct loaded *loaded)
{
	const struct program_file *file = loaded->file;
	unsigned int i;

	for (i = 0; i < file->elf.segment_count; i++) {
		const struct elf_segment *segment = &file->elf.segments[i];

		if (!loaded->image_is_there || segment->address + segment->memory_size > loaded->image_end)
			program_read(loaded->name, file->fd, (void *)(loaded->base + segment->address),
				     segment->file_size, segment->offset);
		note_segment(file, segment, loaded->base + segment->address);
	}
	close(file->fd);
}

/* Its first page, and the one behind its last; the base is added, which is a page's. */
static uint64_t segment_start(const struct elf_segment *segment)
{
	return segment->address & ~(PAGE - 1);
}

static uint64_t segment_end(const struct elf_segment *segment)
{
	return (segment->address + segment->memory_size + PAGE - 1) & ~(PAGE - 1);
}

/* Nothing lies between its segments. */
static bool is_gapless(const struct elf_file *elf)
{
	unsigned int i;

	for (i = 1; i < elf->segment_count; i++)
		if (segment_end(&elf->segments[i - 1]) < segment_start(&elf->segments[i]))
			return false;
	return true;
}

/* An image that is there is not writable, here neither: what was mapped of it as a neighbour stays as it is. */
bool loaded_is_touched(const struct loaded *loaded)
{
	const struct elf_file *elf = &loaded->file->elf;
	unsigned int i;

	if (!elf->segment_count)
		return false;
	for (i = 0; i < elf->segment_count; i++)
		if (elf->segments[i].address >= loaded->image_end &&
		    elf->segments[i].protection != (PROT_READ | PROT_WRITE))
			return true;
	return !loaded->image_is_there || !is_gapless(elf);
}

/* Returns how many answers are due. */
static unsigned int ask_for_protection(const struct proxy *proxy, uint64_t start, uint64_t end, int protection)
{
	if (start >= end || protection == (PROT_READ | PROT_WRITE))
		return 0;
	proxy_ask(proxy, &(struct ikc_process_message) {
		.kind = IKC_PROCESS_PROTECT,
		.words = { start, end - start, protection },
	});
	return 1;
}

unsigned int loaded_protect(const struct proxy *proxy, const struct loaded *loaded)
{
	const struct elf_file *elf = &loaded->file->elf;
	uint64_t base = loaded->base, done = base + elf->start;
	unsigned int i, asked = 0;

	for (i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t start = base + segment_start(segment), end = base + segment_end(segment);

		asked += ask_for_protection(proxy, done, start, PROT_NONE);
		asked += ask_for_protection(proxy, start, end, segment->protection);
		done = end;
	}
	return asked;
}

void loaded_take_protection(const struct proxy *proxy, unsigned int answers)
{
	struct ikc_process_message answer;
	int64_t result;

	while (answers--) {
		result = proxy_take_answer(proxy, &answer);
		if (result)
			die(EXIT_FAILED, "%s: protection of the program's memory: %s", proxy->partition,
			    strerror(-result));
	}
}
