/* SPDX-License-Identifier: Apache-2.0 */
/* What an executable says of itself, checked. */
#include "elf_file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "ikc_process.h"

#define PAGE 4096ull
#define INTERPRETER_MAX 4096 /* bytes of a path, with its end */

int elf_check_header(const void *bytes, uint64_t size, Elf64_Ehdr *header)
{
	if (size < sizeof(*header))
		return ENOEXEC;
	memcpy(header, bytes, sizeof(*header));
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64)
		return ENOEXEC;
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return ENOEXEC;
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
	    header->e_phnum > 65536 / sizeof(Elf64_Phdr))
		return ENOEXEC;
	return 0;
}

static int protection_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/* Segments come in the order of their addresses, and do not share a page. */
static int add_segment(const Elf64_Phdr *header, uint64_t file_size, struct elf_file *file)
{
	struct elf_segment *segment = &file->segments[file->segment_count];
	uint64_t end = header->p_vaddr + header->p_memsz;

	if (!header->p_memsz)
		return 0;
	if (file->segment_count == ELF_SEGMENTS_MAX || end < header->p_vaddr || end > IKC_USER_END - PAGE ||
	    header->p_filesz > header->p_memsz || header->p_offset % PAGE != header->p_vaddr % PAGE ||
	    header->p_offset > file_size || header->p_filesz > file_size - header->p_offset)
		return ENOEXEC;
	if (file->segment_count && (header->p_vaddr & ~(PAGE - 1)) < file->end)
		return ENOEXEC;
	if (!file->segment_count)
		file->start = header->p_vaddr & ~(PAGE - 1);
	file->end = (end + PAGE - 1) & ~(PAGE - 1);
	*segment = (struct elf_segment) {
		.address = header->p_vaddr,
		.memory_size = header->p_memsz,
		.file_size = header->p_filesz,
		.offset = header->p_offset,
		.protection = protection_of(header->p_flags),
	};
	file->segment_count++;
	return 0;
}

static int set_interpreter(const Elf64_Phdr *header, uint64_t file_size, struct elf_file *file)
{
	if (file->interpreter_size || header->p_filesz < 2)
		return EINVAL;
	if (header->p_filesz > INTERPRETER_MAX || header->p_offset > file_size ||
	    header->p_filesz > file_size - header->p_offset)
		return ENOEXEC;
	file->interpreter_offset = header->p_offset;
	file->interpreter_size = header->p_filesz;
	return 0;
}

/* Where the program headers are in memory: in the segment that has those bytes of the file. */
static void find_headers(const Elf64_Ehdr *header, struct elf_file *file)
{
	uint64_t size = (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);
	unsigned int i;

	for (i = 0; i < file->segment_count; i++) {
		const struct elf_segment *segment = &file->segments[i];

		if (header->e_phoff >= segment->offset && size <= segment->file_size &&
		    header->e_phoff - segment->offset <= segment->file_size - size)
			file->headers = segment->address + (header->e_phoff - segment->offset);
	}
}

int elf_read_segments(const Elf64_Ehdr *header, const Elf64_Phdr *headers, uint64_t file_size,
		      struct elf_file *file)
{
	int i, err = 0;

	*file = (struct elf_file) {
		.moves = header->e_type == ET_DYN,
		.entry = header->e_entry,
		.header_count = header->e_phnum,
	};
	for (i = 0; i < header->e_phnum && !err; i++) {
		if (headers[i].p_type == PT_LOAD)
			err = add_segment(&headers[i], file_size, file);
		else if (headers[i].p_type == PT_INTERP)
			err = set_interpreter(&headers[i], file_size, file);
	}
	if (err)
		return err;
	if (!file->segment_count || (!file->moves && file->start < IKC_USER_START))
		return ENOEXEC;
	find_headers(header, file);
	return 0;
}
