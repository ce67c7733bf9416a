/* SPDX-License-Identifier: Apache-2.0 */
/* The walk through page tables that a peer has made: what they mean, and that nothing they say leads astray. */
#include "ikc_walk.h"

#include <string.h>

#include "check.h"

#define RAM_PAGES 64
#define PAGE 4096ull
#define PRESENT (IKC_WALK_PRESENT | IKC_WALK_USER)
#define WRITABLE (PRESENT | IKC_WALK_WRITABLE)

static uint64_t ram[RAM_PAGES][IKC_WALK_ENTRIES];
static unsigned int tables_read;

static const uint64_t *table_at(void *context, uint64_t address)
{
	(void)context;
	tables_read++;
	CHECK_EQ(address % PAGE, 0);
	return address < RAM_PAGES * PAGE ? ram[address / PAGE] : NULL;
}

static bool walk(uint64_t address, struct ikc_walk_page *page)
{
	tables_read = 0;
	return ikc_walk(0, address, table_at, NULL, page);
}

/* Root, tables at 1, 2 and 3, for the address below; the leaf is the caller's. */
#define ADDRESS 0x123456789abcull

static uint64_t *entry_at(int level)
{
	return &ram[4 - level][ADDRESS >> (12 + 9 * (level - 1)) & 511];
}

static void make_tables(uint64_t leaf, int level)
{
	int at;

	memset(ram, 0, sizeof(ram));
	for (at = 4; at > level; at--)
		*entry_at(at) = (uint64_t)(5 - at) * PAGE | WRITABLE;
	*entry_at(level) = leaf;
}

/* What the process has there: `page`, or nothing, for so many bytes. */
static void check_leaf(uint64_t size, uint64_t page, bool is_page, bool shown)
{
	struct ikc_walk_leaf leaf = ikc_walk_to_leaf(0, ADDRESS, table_at, NULL);

	CHECK_EQ(leaf.size, size);
	CHECK_EQ(leaf.is_page, is_page);
	CHECK_EQ(leaf.shown, shown);
	if (is_page)
		CHECK_EQ(leaf.page, page);
}

static void test_what_is_hidden_is_still_the_process(void)
{
	struct ikc_walk_page page;

	make_tables(0x5555000 | IKC_WALK_HIDDEN, 1);
	CHECK(!walk(ADDRESS, &page));
	check_leaf(PAGE, 0x5555000, true, false);
	make_tables(0x40000000 | IKC_WALK_HIDDEN | IKC_WALK_LARGE, 2);
	check_leaf(PAGE << 9, 0x40000000, true, false);
	make_tables(0x40000000 | IKC_WALK_HIDDEN, 2); /* says where it is, but not how large */
	check_leaf(PAGE << 9, 0, false, false);
	make_tables(0x8000000000 | IKC_WALK_HIDDEN | IKC_WALK_LARGE, 4);
	check_leaf(PAGE << 27, 0, false, false);
	make_tables(0x5555000, 1);
	check_leaf(PAGE, 0, false, false);
	make_tables(0x5555000 | WRITABLE, 1);
	check_leaf(PAGE, 0x5555000, true, true);
	make_tables(0, 3);
	check_leaf(PAGE << 18, 0, false, false);
	make_tables(RAM_PAGES * PAGE | WRITABLE, 3); /* a table that is nowhere */
	check_leaf(PAGE << 9, 0, false, false);
}

static void test_leaves_of_each_size(void)
{
	struct ikc_walk_page page;

	make_tables(0x5555000 | WRITABLE, 1);
	CHECK(walk(ADDRESS, &page));
	CHECK_EQ(page.page, 0x5555000);
	CHECK(page.writable);
	make_tables(0x40000000 | WRITABLE | IKC_WALK_LARGE, 2);
	CHECK(walk(ADDRESS, &page));
	CHECK_EQ(page.page, 0x40000000 + (ADDRESS & 0x1ff000));
	make_tables(0x80000000 | WRITABLE | IKC_WALK_LARGE, 3);
	CHECK(walk(ADDRESS, &page));
	CHECK_EQ(page.page, 0x80000000 + (ADDRESS & 0x3ffff000));
	make_tables(WRITABLE | IKC_WALK_LARGE, 4);
	CHECK(!walk(ADDRESS, &page));
}

static void test_rights_are_those_of_all_levels(void)
{
	struct ikc_walk_page page;
	int level;

	for (level = 1; level <= 4; level++) {
		make_tables(0x5555000 | WRITABLE, 1);
		*entry_at(level) &= ~IKC_WALK_WRITABLE;
		CHECK(walk(ADDRESS, &page));
		CHECK(!page.writable);
		*entry_at(level) &= ~IKC_WALK_USER;
		CHECK(!walk(ADDRESS, &page));
		make_tables(0x5555000 | WRITABLE, 1);
		*entry_at(level) &= ~IKC_WALK_PRESENT;
		CHECK(!walk(ADDRESS, &page));
	}
}

static void test_only_where_programs_have_memory(void)
{
	static const uint64_t outside[] = { 0, IKC_USER_START - 1, IKC_USER_END, 0x800000000000, 0xffff800000000000,
					    UINT64_MAX };
	struct ikc_walk_page page;
	size_t i;

	make_tables(WRITABLE, 1);
	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		CHECK(!walk(outside[i], &page));
		CHECK_EQ(tables_read, 0);
	}
}

static void test_any_tables_are_survived(void)
{
	uint64_t state = 42;
	struct ikc_walk_page page;
	long round, found = 0;

	for (round = 0; round < 200000; round++) {
		uint64_t address = IKC_USER_START + random_next(&state) % (IKC_USER_END - IKC_USER_START);
		unsigned int i;

		for (i = 0; i < 32; i++) {
			uint64_t target = random_next(&state) % 4 ? random_next(&state) % (RAM_PAGES * PAGE)
								  : random_next(&state);
			uint64_t *table = ram[random_next(&state) % RAM_PAGES];

			table[random_next(&state) % IKC_WALK_ENTRIES] = target | (random_next(&state) & 0xff) | PRESENT;
		}
		found += walk(address, &page);
		CHECK(tables_read <= IKC_WALK_LEVELS);
	}
	CHECK(found > 0);
}

int main(void)
{
	RUN(test_leaves_of_each_size);
	RUN(test_what_is_hidden_is_still_the_process);
	RUN(test_rights_are_those_of_all_levels);
	RUN(test_only_where_programs_have_memory);
	RUN(test_any_tables_are_survived);
	return 0;
}
