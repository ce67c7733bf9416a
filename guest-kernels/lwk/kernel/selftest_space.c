/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests of a program's memory, without a program: its pages, and how the kernel reaches them. */
#include <arch/cpu.h>
#include <arch/selftest.h>
#include <arch/trap.h>
#include <arch/user_mode.h>
#include <ikc/ikc_process.h>
#include <lwk/errno.h>
#include <lwk/page_alloc.h>
#include <lwk/selftest.h>
#include <lwk/space.h>
#include <lwk/topology.h>
#include <lwk/user_copy.h>

#define START (16 * LARGE_PAGE_SIZE)
#define END (START + 4 * LARGE_PAGE_SIZE + 3 * PAGE_SIZE)
#define HOLE (START + LARGE_PAGE_SIZE + 5 * PAGE_SIZE)

#define READ_WRITE (PROTECTION_READ | PROTECTION_WRITE)

static const struct memory_policy anywhere = { .mode = MEMORY_DEFAULT };

static uint64_t all_free_pages(void)
{
	uint64_t pages = 0;

	for (unsigned int node = 0; node < topology.node_count; node++)
		pages += page_node_usage(node).free_pages;
	return pages;
}

static uint64_t page_size_at(const struct space *space, uint64_t address)
{
	return user_page_at(space->root, address).size;
}

static const char *use_space(struct space *space)
{
	SELFTEST_EXPECT(!space_map(space, START, END, READ_WRITE, &anywhere));
	SELFTEST_EXPECT(page_size_at(space, START) == LARGE_PAGE_SIZE);
	SELFTEST_EXPECT(page_size_at(space, END - PAGE_SIZE) == PAGE_SIZE);
	SELFTEST_EXPECT(space->page_count == (END - START) / PAGE_SIZE);
	SELFTEST_EXPECT(space_find_gap(space, LARGE_PAGE_SIZE) % LARGE_PAGE_SIZE == 0);

	/* a hole in a large page makes small ones of it, and of no other */
	SELFTEST_EXPECT(!space_hide(space, HOLE, HOLE + 2 * PAGE_SIZE));
	SELFTEST_EXPECT(!user_page_at(space->root, HOLE).shown);
	space_free_hidden(space, HOLE, HOLE + 2 * PAGE_SIZE);
	SELFTEST_EXPECT(page_size_at(space, HOLE - PAGE_SIZE) == PAGE_SIZE);
	SELFTEST_EXPECT(page_size_at(space, START + 2 * LARGE_PAGE_SIZE) == LARGE_PAGE_SIZE);
	SELFTEST_EXPECT(!space_is_mapped(space, START, END) && space_is_mapped(space, START, HOLE));
	SELFTEST_EXPECT(space_is_free(space, HOLE, HOLE + 2 * PAGE_SIZE));
	SELFTEST_EXPECT(!space_map(space, HOLE, HOLE + 2 * PAGE_SIZE, PROTECTION_READ, &anywhere));
	SELFTEST_EXPECT(space_area_at(space, HOLE)->protection == PROTECTION_READ);

	/* what may not be touched has its pages nevertheless, and they come back */
	SELFTEST_EXPECT(!space_protect(space, START, END, 0));
	SELFTEST_EXPECT(!user_page_at(space->root, START).shown && user_page_at(space->root, START).page);
	SELFTEST_EXPECT(!space_protect(space, START, END, READ_WRITE));
	SELFTEST_EXPECT(user_page_at(space->root, HOLE).shown);
	SELFTEST_EXPECT(space->areas && !space->areas->next);
	return NULL;
}

/* More than there is. */
static const char *ask_for_too_much(struct space *space)
{
	uint64_t before = all_free_pages();

	SELFTEST_EXPECT(space_map(space, GIB(64), GIB(64) + (before + 1) * PAGE_SIZE, READ_WRITE, &anywhere) == -ENOMEM);
	SELFTEST_EXPECT(space_is_free(space, GIB(64), GIB(128)));
	return NULL;
}

const char *selftest_space(void)
{
	uint64_t before = all_free_pages();
	struct space space;
	const char *why;

	SELFTEST_EXPECT(!space_init(&space));
	why = use_space(&space);
	if (!why)
		why = ask_for_too_much(&space);
	space_destroy(&space);
	if (!why && all_free_pages() != before)
		why = selftest_failed("%lu pages were free, and %lu are", before, all_free_pages());
	return why;
}

static const char *reach_user_memory(void)
{
	uint64_t word = 42, read = 0;

	SELFTEST_EXPECT(!copy_to_user(START + 8, &word, sizeof(word)));
	SELFTEST_EXPECT(!copy_from_user(&read, START + 8, sizeof(read)) && read == 42);
	SELFTEST_EXPECT(!clear_user(START, 16));
	SELFTEST_EXPECT(!copy_from_user(&read, START + 8, sizeof(read)) && !read);
	SELFTEST_EXPECT(!compare_and_swap_user(START, 0, 7) && compare_and_swap_user(START, 0, 8) == -EAGAIN);

	/* over the end, what is read only, what is not there, and what is the kernel's */
	SELFTEST_EXPECT(copy_to_user(START + PAGE_SIZE - 4, &word, sizeof(word)) == -EFAULT);
	SELFTEST_EXPECT(copy_to_user(START + PAGE_SIZE, &word, sizeof(word)) == -EFAULT);
	SELFTEST_EXPECT(!copy_from_user(&read, START + PAGE_SIZE, sizeof(read)));
	SELFTEST_EXPECT(copy_from_user(&read, START + 2 * PAGE_SIZE, sizeof(read)) == -EFAULT);
	SELFTEST_EXPECT(copy_from_user(&read, (uint64_t)&word, sizeof(read)) == -EFAULT);
	SELFTEST_EXPECT(copy_from_user(&read, START, UINT64_MAX - START) == -EFAULT);
	SELFTEST_EXPECT(clear_user((uint64_t)&word, sizeof(word)) == -EFAULT && word == 42);

	/* the kernel by itself does not get there */
	if (user_access_is_guarded)
		SELFTEST_EXPECT(probe_read64(START, &read) == (FIXUP_TRAPPED | TRAP_PAGE_FAULT));
	return NULL;
}

const char *selftest_user_access(void)
{
	struct space space;
	const char *why = "no memory";

	SELFTEST_EXPECT(!space_init(&space));
	if (!space_map(&space, START, START + PAGE_SIZE, READ_WRITE, &anywhere) &&
	    !space_map(&space, START + PAGE_SIZE, START + 2 * PAGE_SIZE, PROTECTION_READ, &anywhere)) {
		interrupts_disable();
		user_tables_use(space.root);
		why = reach_user_memory();
		user_tables_use(0);
		interrupts_enable();
	}
	space_destroy(&space);
	return why;
}
