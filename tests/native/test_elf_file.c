/* SPDX-License-Identifier: Apache-2.0 */
/* What an executable may say of itself, and what is refused, by the errno that Linux gives. */
#include "../../guest-kernels/linux/tools/elf_file.c"

#include "check.h"

#define FILE_SIZE 0x100000ull
#define WORDS (3 * sizeof(Elf64_Phdr) / 8) /* of all segments */

static const Elf64_Ehdr good_header = {
	.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
	.e_type = ET_EXEC,
	.e_machine = EM_X86_64,
	.e_entry = 0x401000,
	.e_phoff = sizeof(Elf64_Ehdr),
	.e_phentsize = sizeof(Elf64_Phdr),
	.e_phnum = 3,
};

/* As linkers make them: headers and text, data with its zeroes. */
static const Elf64_Phdr good_segments[3] = {
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_offset = 0, .p_vaddr = 0x400000, .p_filesz = 0x1800,
	  .p_memsz = 0x1800 },
	{ .p_type = PT_NOTE, .p_offset = 0x200, .p_vaddr = 0x400200, .p_filesz = 32, .p_memsz = 32 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 0x2e00, .p_vaddr = 0x403e00, .p_filesz = 0x300,
	  .p_memsz = 0x2000 },
};

static Elf64_Ehdr header;
static Elf64_Phdr segments[3];
static struct elf_file file;

static void begin(void)
{
	header = good_header;
	memcpy(segments, good_segments, sizeof(segments));
}

static int check(void)
{
	Elf64_Ehdr read;
	int err = elf_check_header(&header, sizeof(header), &read);

	return err ? err : elf_read_segments(&read, segments, FILE_SIZE, &file);
}

static void test_good_one_is_read(void)
{
	begin();
	CHECK_EQ(check(), 0);
	CHECK_EQ(file.start, 0x400000);
	CHECK_EQ(file.end, 0x406000);
	CHECK_EQ(file.entry, 0x401000);
	CHECK_EQ(file.headers, 0x400000 + sizeof(Elf64_Ehdr));
	CHECK_EQ(file.segment_count, 2);
	CHECK_EQ(file.segments[0].protection, PROT_READ | PROT_EXEC);
	CHECK_EQ(file.segments[1].protection, PROT_READ | PROT_WRITE);
	CHECK_EQ(file.segments[1].memory_size, 0x2000);
	CHECK(!file.moves);
}

#define REFUSED(change, error)             \
	do {                               \
		begin();                   \
		change;                    \
		CHECK_EQ(check(), error);  \
	} while (0)

static void test_what_is_no_program_for_this_machine(void)
{
	Elf64_Ehdr read;

	REFUSED(header.e_ident[0] = 0, ENOEXEC);
	REFUSED(header.e_ident[EI_CLASS] = ELFCLASS32, ENOEXEC);
	REFUSED(header.e_ident[EI_DATA] = ELFDATA2MSB, ENOEXEC);
	REFUSED(header.e_machine = EM_AARCH64, ENOEXEC);
	REFUSED(header.e_type = ET_REL, ENOEXEC);
	REFUSED(header.e_type = ET_CORE, ENOEXEC);
	REFUSED(header.e_phentsize = 32, ENOEXEC);
	REFUSED(header.e_phnum = 0, ENOEXEC);
	REFUSED(header.e_phnum = 2000, ENOEXEC);
	begin();
	CHECK_EQ(elf_check_header(&header, sizeof(header) - 1, &read), ENOEXEC);
	CHECK_EQ(elf_check_header("", 0, &read), ENOEXEC);
}

static void test_segments_that_cannot_be(void)
{
	REFUSED(segments[0].p_type = segments[2].p_type = PT_NOTE, ENOEXEC);
	REFUSED(segments[0].p_vaddr = 0x1000, ENOEXEC);			 /* below what programs have */
	REFUSED(segments[2].p_vaddr = IKC_USER_END - 0x200, ENOEXEC);	 /* beyond it */
	REFUSED(segments[2].p_memsz = UINT64_MAX, ENOEXEC);
	REFUSED(segments[2].p_filesz = 0x2001, ENOEXEC);		 /* more of the file than of memory */
	REFUSED(segments[2].p_offset = 0x2e08, ENOEXEC);		 /* in another place of its page */
	REFUSED(segments[2].p_offset = FILE_SIZE + 0xe00, ENOEXEC);	 /* behind the file */
	REFUSED(segments[2].p_offset = FILE_SIZE - 0x200, ENOEXEC);
	REFUSED(segments[2].p_vaddr = 0x401e00, ENOEXEC);		 /* in a page of the one before */
	REFUSED(segments[2].p_vaddr = 0x3ffe00, ENOEXEC);		 /* not in order */
}

static void test_interpreters(void)
{
	REFUSED(segments[1].p_type = PT_INTERP, 0);
	CHECK_EQ(file.interpreter_size, 32);
	CHECK_EQ(file.interpreter_offset, 0x200);
	REFUSED((segments[1].p_type = PT_INTERP, segments[1].p_filesz = 1), EINVAL);
	REFUSED((segments[1].p_type = PT_INTERP, segments[1].p_filesz = 5000), ENOEXEC);
	REFUSED((segments[1].p_type = PT_INTERP, segments[1].p_offset = FILE_SIZE), ENOEXEC);
	REFUSED((segments[1].p_type = PT_INTERP, segments[2] = segments[1]), EINVAL);
}

static void test_any_bytes_are_survived(void)
{
	uint64_t state = 7;
	long round, good = 0;

	for (round = 0; round < 300000; round++) {
		unsigned int changes = random_next(&state) % 4;

		begin();
		header.e_type = random_next(&state) % 2 ? ET_EXEC : ET_DYN;
		while (changes--) {
			uint64_t *words = (uint64_t *)segments;
			uint64_t wide = random_next(&state) >> random_next(&state) % 64;

			words[random_next(&state) % WORDS] = wide;
		}
		if (check())
			continue;
		good++;
		CHECK(file.start < file.end && file.end <= IKC_USER_END);
		CHECK(file.segment_count > 0 && file.segment_count <= ELF_SEGMENTS_MAX);
	}
	CHECK(good > 0);
}

int main(void)
{
	RUN(test_good_one_is_read);
	RUN(test_what_is_no_program_for_this_machine);
	RUN(test_segments_that_cannot_be);
	RUN(test_interpreters);
	RUN(test_any_bytes_are_survived);
	return 0;
}
