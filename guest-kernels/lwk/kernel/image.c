/* SPDX-License-Identifier: Apache-2.0 */
/* Images of programs that nobody runs just now. */
#include <lwk/image.h>
#include <lwk/cpu.h>
#include <lwk/page_alloc.h>
#include <lwk/space.h>
#include <lwk/spinlock.h>
#include <lwk/user_paging.h>

#define IMAGES 8
#define IMAGE_PAGES_MAX 1024

/* The pages of small ones alone: large ones are found again anyway, and are few. */
struct image {
	uint64_t key[2];
	uint64_t start;
	uint32_t page_count; /* 0: none is here */
	uint64_t kept; /* counts: the least was kept first */
	paddr_t pages[IMAGE_PAGES_MAX];
};

static struct spinlock lock = SPINLOCK_INIT;
static struct image images[IMAGES];
static uint64_t kept_count;

/* ---- under the lock ---- */

static struct image *find(const struct image_place *place)
{
	for (unsigned int i = 0; i < IMAGES; i++) {
		struct image *image = &images[i];

		if (image->page_count && image->key[0] == place->key[0] && image->key[1] == place->key[1] &&
		    image->start == place->start &&
		    image->page_count == (place->end - place->start) >> PAGE_SHIFT &&
		    page_node(image->pages[0]) == (int)this_cpu()->node)
			return image;
	}
	return NULL;
}

static void drop(struct image *image)
{
	for (uint32_t i = 0; i < image->page_count; i++)
		page_free(image->pages[i], 0);
	image->page_count = 0;
}

/* A free one, or the one that was kept first. */
static struct image *claim(void)
{
	struct image *oldest = images;

	for (unsigned int i = 0; i < IMAGES; i++) {
		if (!images[i].page_count)
			return &images[i];
		if (images[i].kept < oldest->kept)
			oldest = &images[i];
	}
	drop(oldest);
	return oldest;
}

/* ---- in a space ---- */

static struct image_place *free_place(struct space *space)
{
	for (unsigned int i = 0; i < IMAGES_OF_SPACE; i++)
		if (!space->images[i].key[0] && !space->images[i].key[1])
			return &space->images[i];
	return NULL;
}

bool image_use(struct space *space, uint64_t start, uint64_t end, const uint64_t *key, uint32_t protection)
{
	struct image_place *place = free_place(space);
	bool shown = false;
	struct image *image;
	uint64_t flags;

	if (!place || (!key[0] && !key[1]) || end - start > IMAGE_PAGES_MAX * PAGE_SIZE)
		return false;
	*place = (struct image_place){ { key[0], key[1] }, start, end };
	flags = spin_lock(&lock);
	image = find(place);
	if (image) {
		shown = !space_map_pages(space, start, image->pages, image->page_count, protection);
		if (shown)
			image->page_count = 0;
	}
	spin_unlock(&lock, flags);
	return shown;
}

void image_forget(struct space *space, uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; i < IMAGES_OF_SPACE; i++) {
		struct image_place *place = &space->images[i];

		if (place->start < end && start < place->end)
			*place = (struct image_place){ 0 };
	}
}

static void keep(struct space *space, const struct image_place *place)
{
	uint64_t flags = spin_lock(&lock);
	struct image *image = claim();
	uint32_t count = (place->end - place->start) >> PAGE_SHIFT;

	if (space_take_pages(space, place->start, image->pages, count)) {
		image->key[0] = place->key[0];
		image->key[1] = place->key[1];
		image->start = place->start;
		image->page_count = count;
		image->kept = ++kept_count;
	}
	spin_unlock(&lock, flags);
}

void image_keep_all(struct space *space)
{
	for (unsigned int i = 0; i < IMAGES_OF_SPACE; i++)
		if (space->images[i].key[0] || space->images[i].key[1])
			keep(space, &space->images[i]);
}

/* ---- all of them ---- */

uint64_t image_pages(unsigned int node)
{
	uint64_t flags = spin_lock(&lock), count = 0;

	for (unsigned int i = 0; i < IMAGES; i++)
		for (uint32_t at = 0; at < images[i].page_count; at++)
			count += page_node(images[i].pages[at]) == (int)node;
	spin_unlock(&lock, flags);
	return count;
}

bool image_drop_all(void)
{
	uint64_t flags = spin_lock(&lock);
	bool dropped = false;

	for (unsigned int i = 0; i < IMAGES; i++) {
		dropped |= images[i].page_count;
		drop(&images[i]);
	}
	spin_unlock(&lock, flags);
	return dropped;
}
