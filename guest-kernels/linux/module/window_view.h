/* SPDX-License-Identifier: GPL-2.0-only */
/* /dev/ikc-window-<partition>: a partition's RAM at its guest-physical addresses. */
#ifndef WINDOW_VIEW_H
#define WINDOW_VIEW_H

#include <linux/completion.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include "ikc_layout.h"

struct region;

/* One device. */
struct window {
	struct list_head list;
	struct pci_dev *pdev;
	u32 devfn;
	u64 base;
	u64 size;
	void *mapped;
	struct mutex lock; /* of the two below */
	bool has_pages;
	struct dev_pagemap pages;
};

/* Where a range of the partition's addresses is in ours. */
struct window_segment {
	struct window *window;
	u64 guest;
	u64 size;
	u64 host;
};

/* One partition. */
struct window_view {
	struct list_head list;
	u32 partition;
	char name[sizeof("ikc-window-") + IKC_NAME_SIZE];
	struct miscdevice misc;
	const struct region *region;
	atomic_t users; /* open files, and one for the driver */
	struct completion unused;
	struct mutex spaces_lock;
	struct list_head spaces; /* of processes there, that proxies have */
	u32 segment_count;
	struct window_segment segments[];
};

/* Makes the device for a view whose partition and segments are set. */
int window_view_register(struct window_view *view, const char *partition_name);

/* The segment that an address of the partition is in, or NULL. */
const struct window_segment *window_view_segment(const struct window_view *view, u64 guest);

/* Whoever has a file of it keeps it from going away. */
void window_view_get(struct window_view *view);
void window_view_put(struct window_view *view);

/* Takes it away, and returns when the last user has closed it. */
void window_view_deregister(struct window_view *view);

#endif
