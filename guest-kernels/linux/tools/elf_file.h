/* SPDX-License-Identifier: Apache-2.0 */
/* What an executable says of itself, checked. Pure: the bytes are the caller's. */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 32

struct elf_segment {
	uint64_t address;
	uint64_t memory_size;
	uint64_t file_size;
	uint64_t offset;
	int protection; /* as mmap(2) takes it */
};

struct elf_file {
	bool moves; /* ET_DYN: its addresses count from where it is put */
	uint64_t entry;
	uint64_t headers; /* address of the program headers in memory; 0: they are not there */
	uint16_t header_count;
	uint64_t interpreter_offset; /* in the file */
	uint64_t interpreter_size; /* 0: it has none */
	uint64_t start; /* whole pages: all segments lie between */
	uint64_t end;
	unsigned int segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* 0, or the errno that execve(2) gives for such a file header: ENOEXEC. */
int elf_check_header(const void *bytes, uint64_t size, Elf64_Ehdr *header);

/*
 * 0, ENOEXEC: no program that can be run, or EINVAL: it has two interpreters, or one of no length. `headers` are
 * header->e_phnum of them.
 */
int elf_read_segments(const Elf64_Ehdr *header, const Elf64_Phdr *headers, uint64_t file_size,
		      struct elf_file *file);

#endif
