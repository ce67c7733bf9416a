// SPDX-License-Identifier: GPL-2.0-only
/*
 * Windows. A device without doorbells is the RAM of another partition, or a part of it; the region tells
 * of which. When all parts of a partition are here they are shown as one device.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <asm/pgtable.h>

#include "space.h"
#include "window.h"
#include "window_view.h"

#define WINDOW_NONE 0xffffffff

static DEFINE_MUTEX(window_lock); /* of the three below */
static LIST_HEAD(windows);
static LIST_HEAD(window_views);
static const struct region *window_region;

/* ---- a partition's view, made of its windows ---- */

static struct window *window_find(u32 devfn)
{
	struct window *window;

	list_for_each_entry(window, &windows, list)
		if (window->devfn == devfn)
			return window;
	return NULL;
}

static struct window_view *window_find_view(u32 partition)
{
	struct window_view *view;

	list_for_each_entry(view, &window_views, list)
		if (view->partition == partition)
			return view;
	return NULL;
}

/* 0, -EAGAIN: its window is not here yet, -EINVAL: the segment makes no sense. */
static int window_add_segment(struct window_view *view, const struct ikc_segment *shared)
{
	struct window_segment *segment = &view->segments[view->segment_count];
	struct ikc_segment told = *shared;
	struct window *window;

	if (told.window_devfn == WINDOW_NONE)
		return 0;
	window = window_find(told.window_devfn);
	if (!window)
		return -EAGAIN;
	if (!told.size || !PAGE_ALIGNED(told.phys | told.size | told.offset) ||
	    told.offset > window->size || told.size > window->size - told.offset ||
	    told.phys + told.size < told.phys)
		return -EINVAL;
	segment->window = window;
	segment->guest = told.phys;
	segment->size = told.size;
	segment->host = window->base + told.offset;
	view->segment_count++;
	return 0;
}

static int window_add_segments(struct window_view *view, const struct ikc_identity *identity, u32 count)
{
	u32 i;
	int err;

	for (i = 0; i < count; i++) {
		err = window_add_segment(view, &identity->segments[i]);
		if (err)
			return err;
	}
	return view->segment_count ? 0 : -ENOENT;
}

/* As it came out of PAT and MTRRs: x86 asks for no more than both of PWT and PCD clear. */
static bool window_is_write_back(const struct window *window)
{
	unsigned int level;
	const pte_t *pte = lookup_address((unsigned long)window->mapped, &level);

	return pte && !(pte_flags(*pte) & (_PAGE_PWT | _PAGE_PCD));
}

static void window_say(const struct window_view *view, const char *partition)
{
	const struct window_segment *segment = view->segments;

	for (; segment < view->segments + view->segment_count; segment++)
		dev_info(&segment->window->pdev->dev,
			 "window of %s: %llu MiB of its memory at %#llx, here at %#llx, %s\n", partition,
			 segment->size >> 20, segment->guest, segment->host,
			 window_is_write_back(segment->window) ?
				 "write-back" :
				 "uncached: this BAR should lie above 4 GiB, under SeaBIOS");
}

static void window_publish(u32 partition)
{
	const struct ikc_identity *identity = &region_partition(window_region, partition)->identity;
	u32 count = min_t(u32, ikc_load(&identity->segment_count), IKC_SEGMENTS_MAX);
	char name[IKC_NAME_SIZE];
	struct window_view *view;
	int err;

	view = kzalloc(struct_size(view, segments, count), GFP_KERNEL);
	if (!view)
		return;
	view->partition = partition;
	view->region = window_region;
	region_name(window_region, partition, name);
	err = window_add_segments(view, identity, count);
	if (!err)
		err = window_view_register(view, name);
	if (!err) {
		list_add(&view->list, &window_views);
		window_say(view, name);
		return;
	}
	kfree(view);
	if (err != -EAGAIN && err != -ENOENT)
		dev_err(&window_region->pdev->dev, "window of %s: error %d\n", name, err);
}

static void window_publish_missing(void)
{
	u32 partition;

	for (partition = 0; window_region && partition < window_region->map.partition_count; partition++)
		if (!window_find_view(partition))
			window_publish(partition);
}

static void window_unpublish(struct window_view *view)
{
	list_del(&view->list);
	window_view_deregister(view);
	kfree(view);
}

/* While views come, nobody has a space yet; while they go, this may not wait for who waits for the last space. */
void windows_look(void)
{
	struct window_view *view;

	if (!mutex_trylock(&window_lock))
		return;
	list_for_each_entry(view, &window_views, list)
		spaces_look(view);
	mutex_unlock(&window_lock);
}

static bool window_is_used_by(const struct window *window, const struct window_view *view)
{
	u32 i;

	for (i = 0; i < view->segment_count; i++)
		if (view->segments[i].window == window)
			return true;
	return false;
}

void windows_publish(const struct region *region)
{
	mutex_lock(&window_lock);
	window_region = region;
	window_publish_missing();
	mutex_unlock(&window_lock);
}

void windows_unpublish(void)
{
	struct window_view *view, *next;

	mutex_lock(&window_lock);
	list_for_each_entry_safe(view, next, &window_views, list)
		window_unpublish(view);
	window_region = NULL;
	mutex_unlock(&window_lock);
}

/* ---- the device ---- */

/* The slot on the root bus: behind a root port, that of the port. */
static u32 window_devfn(struct pci_dev *pdev)
{
	while (!pci_is_root_bus(pdev->bus))
		pdev = pdev->bus->self;
	return pdev->devfn;
}

static int window_map(struct window *window, struct pci_dev *pdev)
{
	int err;

	err = pci_request_region(pdev, REGION_BAR_MEMORY, KBUILD_MODNAME);
	if (err)
		return err;
	/*
	 * Nothing is read here: this mapping makes the kernel remember the range as write-back, which
	 * its pages and every mapping of them then are.
	 */
	window->mapped = devm_memremap(&pdev->dev, window->base, window->size, MEMREMAP_WB);
	return PTR_ERR_OR_ZERO(window->mapped);
}

int window_probe(struct pci_dev *pdev)
{
	struct window *window = devm_kzalloc(&pdev->dev, sizeof(*window), GFP_KERNEL);
	int err;

	if (!window)
		return -ENOMEM;
	window->pdev = pdev;
	window->devfn = window_devfn(pdev);
	window->base = pci_resource_start(pdev, REGION_BAR_MEMORY);
	window->size = pci_resource_len(pdev, REGION_BAR_MEMORY);
	mutex_init(&window->lock);
	window->pages.type = MEMORY_DEVICE_GENERIC;
	window->pages.range = (struct range) { window->base, window->base + window->size - 1 };
	window->pages.nr_range = 1;
	err = window_map(window, pdev);
	if (err) {
		dev_err(&pdev->dev, "window of %llu MiB at %#llx: cannot be mapped, error %d\n",
			window->size >> 20, window->base, err);
		return err;
	}
	pci_set_drvdata(pdev, window);
	mutex_lock(&window_lock);
	list_add(&window->list, &windows);
	window_publish_missing();
	mutex_unlock(&window_lock);
	return 0;
}

void window_remove(struct pci_dev *pdev)
{
	struct window *window = pci_get_drvdata(pdev);
	struct window_view *view, *next;

	mutex_lock(&window_lock);
	list_for_each_entry_safe(view, next, &window_views, list)
		if (window_is_used_by(window, view))
			window_unpublish(view);
	list_del(&window->list);
	mutex_unlock(&window_lock);
}
