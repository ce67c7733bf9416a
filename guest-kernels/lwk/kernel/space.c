/* SPDX-License-Identifier: Apache-2.0 */
/* A process's address space. */
#include <ikc/ikc_process.h>
#include <lwk/errno.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/space.h>
#include <lwk/string.h>
#include <lwk/thread.h>
#include <lwk/topology.h>

#define LARGE_ORDER PAGE_ORDER_2M

struct area_page {
	struct area_page *next;
	struct area areas[(PAGE_SIZE - sizeof(struct area_page *)) / sizeof(struct area)];
};

/* ---- areas ---- */

static int more_areas(struct space *space)
{
	paddr_t page = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	struct area_page *areas;

	if (!page)
		return -ENOMEM;
	areas = phys_to_virt(page);
	areas->next = space->area_pages;
	space->area_pages = areas;
	for (unsigned int i = 0; i < ARRAY_SIZE(areas->areas); i++) {
		areas->areas[i].next = space->unused;
		space->unused = &areas->areas[i];
	}
	return 0;
}

/* What an operation needs at most is there before it begins, so that it does not stop half way. */
static int reserve_areas(struct space *space)
{
	const struct area *area = space->unused;

	for (int i = 0; i < 2; i++) {
		if (!area)
			return more_areas(space);
		area = area->next;
	}
	return 0;
}

/* With protection and policy of another one. */
static struct area *new_area(struct space *space, uint64_t start, uint64_t end, const struct area *like)
{
	struct area *area = space->unused;

	space->unused = area->next;
	*area = (struct area){ NULL, start, end, like->protection, like->policy };
	return area;
}

static void free_area(struct space *space, struct area *area)
{
	area->next = space->unused;
	space->unused = area;
}

/* The link to the first area that ends behind the address. */
static struct area **find_link(struct space *space, uint64_t address)
{
	struct area **link = &space->areas;

	while (*link && (*link)->end <= address)
		link = &(*link)->next;
	return link;
}

static void insert(struct space *space, struct area *area)
{
	struct area **link = find_link(space, area->start);

	area->next = *link;
	*link = area;
}

/* No area crosses the address afterwards. */
static void split_at(struct space *space, uint64_t address)
{
	struct area *area = *find_link(space, address);
	struct area *behind;

	if (!area || area->start >= address)
		return;
	behind = new_area(space, address, area->end, area);
	behind->next = area->next;
	area->next = behind;
	area->end = address;
}

static void merge(struct space *space)
{
	struct area *area = space->areas;

	while (area && area->next) {
		struct area *next = area->next;

		if (area->end == next->start && area->protection == next->protection &&
		    memory_policies_are_equal(&area->policy, &next->policy)) {
			area->end = next->end;
			area->next = next->next;
			free_area(space, next);
		} else {
			area = next;
		}
	}
}

const struct area *space_area_at(const struct space *space, uint64_t address)
{
	const struct area *area = space->areas;

	while (area && area->end <= address)
		area = area->next;
	return area && area->start <= address ? area : NULL;
}

bool space_is_free(const struct space *space, uint64_t start, uint64_t end)
{
	for (const struct area *area = space->areas; area; area = area->next)
		if (area->start < end && start < area->end)
			return false;
	return true;
}

bool space_is_mapped(const struct space *space, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct area *area = space_area_at(space, start);

		if (!area)
			return false;
		start = area->end;
	}
	return true;
}

int space_range_check(uint64_t start, uint64_t size)
{
	if ((start | size) & (PAGE_SIZE - 1) || !size || start < IKC_USER_START ||
	    start > IKC_USER_END || size > IKC_USER_END - start)
		return -EINVAL;
	return 0;
}

/* One page stays free between it and what is above. */
uint64_t space_find_gap(const struct space *space, uint64_t size)
{
	uint64_t alignment = size >= LARGE_PAGE_SIZE ? LARGE_PAGE_SIZE : PAGE_SIZE;
	uint64_t low = IKC_USER_START, best = 0;
	const struct area *area = space->areas;

	for (;; area = area->next) {
		uint64_t high = (area ? area->start : IKC_USER_END) - PAGE_SIZE;

		if (high > low && high - low >= size) {
			uint64_t start = ALIGN_DOWN(high - size, alignment);

			best = start >= low ? start : best;
		}
		if (!area)
			return best;
		low = area->end;
	}
}

/* ---- pages ---- */

static unsigned int largest_order(uint64_t address, uint64_t end)
{
	unsigned int order = MIN(__builtin_ctzl(address) - PAGE_SHIFT, PAGE_ORDER_MAX);

	while (PAGE_SIZE << order > end - address)
		order--;
	return order;
}

/* Shows one block, in the largest pages; each of them is freed by itself later. */
static int show_block(struct space *space, uint64_t address, unsigned int order, paddr_t block, uint32_t protection)
{
	unsigned int into = order >= LARGE_ORDER ? LARGE_ORDER : 0;
	uint64_t size = PAGE_SIZE << into;

	page_split(block, order, into);
	for (uint64_t at = 0; at < PAGE_SIZE << order; at += size) {
		int err = user_page_map(space->root, address + at, block + at, size, protection);

		if (err) {
			for (; at < PAGE_SIZE << order; at += size)
				page_free(block + at, into);
			return err;
		}
		space->page_count += size >> PAGE_SHIFT;
	}
	return 0;
}

/* Where no page is in [start, end), and none is hidden. */
static int fill_hole(struct space *space, uint64_t start, uint64_t end, uint32_t protection,
		     struct memory_policy *policy)
{
	while (start < end) {
		unsigned int order = largest_order(start, end);
		paddr_t block = memory_policy_alloc(policy, &order);
		int err = block ? show_block(space, start, order, block, protection) : -ENOMEM;

		if (err)
			return err;
		start += PAGE_SIZE << order;
	}
	return 0;
}

/* Large pages that cross either end are made small. */
static int split_pages(struct space *space, uint64_t start, uint64_t end)
{
	const uint64_t bounds[] = { start, end };

	for (unsigned int i = 0; i < ARRAY_SIZE(bounds); i++) {
		struct user_page found = user_page_at(space->root, bounds[i]);
		int err;

		if (!found.page || found.address == bounds[i])
			continue;
		err = user_page_split(space->root, bounds[i]);
		if (err)
			return err;
		page_split(found.page, LARGE_ORDER, 0);
	}
	return 0;
}

/* Each place of [start, end) has a page, shown like this. */
static int show_all(struct space *space, uint64_t start, uint64_t end, uint32_t protection,
		    struct memory_policy *policy)
{
	int err = 0;

	while (start < end && !err) {
		struct user_page found = user_page_at(space->root, start);
		uint64_t next = MIN(end, found.address + found.size);

		if (found.page)
			user_page_protect(space->root, start, protection);
		else
			err = fill_hole(space, start, next, protection, policy);
		start = next;
	}
	return err;
}

static void hide_all(struct space *space, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct user_page found = user_page_at(space->root, start);

		if (found.page)
			user_page_protect(space->root, start, 0);
		start = found.address + found.size;
	}
}

static void free_all(struct space *space, uint64_t start, uint64_t end)
{
	while (start < end) {
		struct user_page found = user_page_at(space->root, start);

		if (found.page) {
			user_page_clear(space->root, start);
			page_free(found.page, found.size == PAGE_SIZE ? 0 : LARGE_ORDER);
			space->page_count -= found.size >> PAGE_SHIFT;
		}
		start = found.address + found.size;
	}
}

/* ---- operations ---- */

/* To find out late would take the time to zero all that there is. */
static bool is_out_of_reach(uint64_t pages)
{
	uint64_t free = 0;

	for (unsigned int node = 0; node < topology.node_count; node++)
		free += page_node_usage(node).free_pages + image_pages(node);
	return pages > free;
}

int space_map(struct space *space, uint64_t start, uint64_t end, uint32_t protection,
	      const struct memory_policy *policy)
{
	struct area made = { .protection = protection, .policy = *policy };
	int err = reserve_areas(space);

	if (!err && protection && is_out_of_reach((end - start) >> PAGE_SHIFT))
		return -ENOMEM;
	if (!err && protection)
		err = show_all(space, start, end, protection, &made.policy);
	if (err) {
		free_all(space, start, end); /* nobody has seen them yet */
		return err;
	}
	insert(space, new_area(space, start, end, &made));
	merge(space);
	return 0;
}

int space_map_pages(struct space *space, uint64_t start, const paddr_t *pages, uint32_t count, uint32_t protection)
{
	struct area made = { .protection = protection };
	uint64_t end = start + count * PAGE_SIZE;
	int err = reserve_areas(space);
	uint32_t shown = 0;

	for (; !err && shown < count; shown++)
		err = user_page_map(space->root, start + shown * PAGE_SIZE, pages[shown], PAGE_SIZE, protection);
	if (err) {
		while (shown--)
			user_page_clear(space->root, start + shown * PAGE_SIZE);
		return err;
	}
	space->page_count += count;
	insert(space, new_area(space, start, end, &made));
	merge(space);
	return 0;
}

bool space_take_pages(struct space *space, uint64_t start, paddr_t *pages, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct user_page found = user_page_at(space->root, start + i * PAGE_SIZE);

		if (!found.page || found.size != PAGE_SIZE)
			return false;
		pages[i] = found.page;
	}
	for (uint32_t i = 0; i < count; i++)
		user_page_clear(space->root, start + i * PAGE_SIZE);
	space->page_count -= count;
	return true;
}

/* Each area of the range, which ends and begins with one. */
#define for_each_area(area, space, start, end)                                                     \
	for (struct area *area = *find_link(space, start); area && area->start < (end); area = area->next)

/* What areas that had none lack comes by their policies. */
static int show_areas(struct space *space, uint64_t start, uint64_t end, uint32_t protection)
{
	int err = 0;

	for_each_area(area, space, start, end)
		if (!err)
			err = show_all(space, MAX(area->start, start), MIN(area->end, end), protection,
				       &area->policy);
	return err;
}

int space_protect(struct space *space, uint64_t start, uint64_t end, uint32_t protection)
{
	int err = reserve_areas(space);

	if (protection & PROTECTION_WRITE)
		image_forget(space, start, end);
	if (!err)
		err = split_pages(space, start, end);
	if (!err && protection)
		err = show_areas(space, start, end, protection);
	else if (!err)
		hide_all(space, start, end);
	if (err)
		return err;
	split_at(space, start);
	split_at(space, end);
	for_each_area(area, space, start, end)
		area->protection = protection;
	merge(space);
	return 0;
}

int space_set_policy(struct space *space, uint64_t start, uint64_t end, const struct memory_policy *policy)
{
	int err = reserve_areas(space);

	if (err)
		return err;
	split_at(space, start);
	split_at(space, end);
	for_each_area(area, space, start, end)
		area->policy = *policy;
	merge(space);
	return 0;
}

/* The pages of one place that has one, elsewhere; perhaps in small ones. -ENOMEM: it is where it was. */
static int move_page(struct space *space, struct user_page old, struct memory_policy *policy)
{
	unsigned int order = old.size == PAGE_SIZE ? 0 : LARGE_ORDER;
	unsigned int wanted = order;
	paddr_t page = memory_policy_alloc(policy, &wanted);

	if (page && wanted != order) {
		page_free(page, wanted); /* there is no large one there */
		page = 0;
	}
	if (!page)
		return -ENOMEM;
	memcpy(phys_to_virt(page), phys_to_virt(old.page), old.size);
	user_page_clear(space->root, old.address);
	page_free(old.page, order);
	return user_page_map(space->root, old.address, page, old.size, 0);
}

static int move_pages(struct space *space, uint64_t start, uint64_t end, struct memory_policy *policy)
{
	int err = 0;

	while (start < end) {
		struct user_page found = user_page_at(space->root, start);

		if (found.page && move_page(space, found, policy))
			err = -ENOMEM;
		start = found.address + found.size;
	}
	return err;
}

int space_move_hidden(struct space *space, uint64_t start, uint64_t end)
{
	int err = 0;

	for_each_area(area, space, start, end) {
		uint64_t from = MAX(area->start, start), to = MIN(area->end, end);

		if (move_pages(space, from, to, &area->policy))
			err = -ENOMEM;
		if (area->protection && show_all(space, from, to, area->protection, &area->policy))
			err = -ENOMEM;
	}
	return err;
}

int space_hide(struct space *space, uint64_t start, uint64_t end)
{
	int err = reserve_areas(space);

	if (!err)
		err = split_pages(space, start, end);
	if (!err)
		hide_all(space, start, end);
	return err;
}

void space_free_hidden(struct space *space, uint64_t start, uint64_t end)
{
	struct area **link;

	image_forget(space, start, end);
	free_all(space, start, end);
	split_at(space, start);
	split_at(space, end);
	link = find_link(space, start);
	while (*link && (*link)->start < end) {
		struct area *area = *link;

		*link = area->next;
		free_area(space, area);
	}
}

/* ---- life ---- */

int space_init(struct space *space)
{
	*space = (struct space){ .root = user_tables_new() };
	return space->root ? 0 : -ENOMEM;
}

void space_destroy(struct space *space)
{
	if (!space->root)
		return;
	user_tables_drop(space->root);
	image_keep_all(space);
	for (const struct area *area = space->areas; area; area = area->next)
		free_all(space, area->start, area->end);
	user_tables_free(space->root);
	while (space->area_pages) {
		struct area_page *page = space->area_pages;

		space->area_pages = page->next;
		page_free(virt_to_phys(page), 0);
	}
	space->root = 0;
}

bool space_try_enter(struct space *space)
{
	return !__atomic_exchange_n(&space->busy, true, __ATOMIC_ACQUIRE);
}

void space_enter(struct space *space)
{
	while (!space_try_enter(space))
		thread_yield();
}

void space_leave(struct space *space)
{
	__atomic_store_n(&space->busy, false, __ATOMIC_RELEASE);
}
