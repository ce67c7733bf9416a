// SPDX-License-Identifier: GPL-2.0-only
/*
 * A window in use. Its memory has struct pages, so that the kernel can pin it and do I/O on it; they cost
 * time and memory, and are made when it is first opened.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn_t.h>

#include "ikc_uapi.h"
#include "space.h"
#include "window_view.h"

const struct window_segment *window_view_segment(const struct window_view *view, u64 guest)
{
	const struct window_segment *segment = view->segments;

	for (; segment < view->segments + view->segment_count; segment++)
		if (guest - segment->guest < segment->size)
			return segment;
	return NULL;
}

void window_view_get(struct window_view *view)
{
	atomic_inc(&view->users);
}

void window_view_put(struct window_view *view)
{
	if (atomic_dec_and_test(&view->users))
		complete(&view->unused);
}

static int window_make_pages(struct window *window)
{
	void *pages;
	int err = 0;

	mutex_lock(&window->lock);
	if (!window->has_pages) {
		pages = devm_memremap_pages(&window->pdev->dev, &window->pages);
		err = PTR_ERR_OR_ZERO(pages);
		window->has_pages = !err;
	}
	mutex_unlock(&window->lock);
	if (err)
		dev_err_ratelimited(&window->pdev->dev, "no struct pages for a window of %llu MiB: error %d\n",
				    window->size >> 20, err);
	return err;
}

static int window_open(struct inode *inode, struct file *file)
{
	struct window_view *view = container_of(file->private_data, struct window_view, misc);
	u32 i;
	int err;

	for (i = 0; i < view->segment_count; i++) {
		err = window_make_pages(view->segments[i].window);
		if (err)
			return err;
	}
	window_view_get(view);
	file->private_data = view;
	return nonseekable_open(inode, file);
}

static int window_release(struct inode *inode, struct file *file)
{
	window_view_put(file->private_data);
	return 0;
}

static vm_fault_t window_fault(struct vm_fault *fault)
{
	const struct window_view *view = fault->vma->vm_file->private_data;
	u64 guest = (u64)fault->pgoff << PAGE_SHIFT;
	const struct window_segment *segment = window_view_segment(view, guest);
	pfn_t pfn;

	if (!segment)
		return VM_FAULT_SIGBUS;
	pfn = phys_to_pfn_t(segment->host + (guest - segment->guest), PFN_DEV | PFN_MAP);
	return vmf_insert_mixed(fault->vma, fault->address, pfn);
}

static const struct vm_operations_struct window_vm_operations = {
	.fault = window_fault,
};

static bool window_is_whole(const struct window_view *view, u64 guest, u64 size)
{
	u64 end = guest + size;

	if (end < guest)
		return false;
	while (guest < end) {
		const struct window_segment *segment = window_view_segment(view, guest);

		if (!segment)
			return false;
		guest = segment->guest + segment->size;
	}
	return true;
}

/* The offset is the guest-physical address. ENXIO: not all of it is RAM of the partition. */
static int window_mmap(struct file *file, struct vm_area_struct *vma)
{
	const struct window_view *view = file->private_data;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (!window_is_whole(view, (u64)vma->vm_pgoff << PAGE_SHIFT, vma->vm_end - vma->vm_start))
		return -ENXIO;
	vma->vm_flags |= VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP;
	vma->vm_ops = &window_vm_operations;
	return 0;
}

static long window_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	if (command == IKC_IOCTL_SPACE)
		return space_open(file->private_data, (void __user *)argument);
	return -ENOTTY;
}

static const struct file_operations window_operations = {
	.owner = THIS_MODULE,
	.open = window_open,
	.release = window_release,
	.unlocked_ioctl = window_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = window_mmap,
	.llseek = no_llseek,
};

int window_view_register(struct window_view *view, const char *partition_name)
{
	snprintf(view->name, sizeof(view->name), "ikc-window-%s", partition_name);
	atomic_set(&view->users, 1);
	init_completion(&view->unused);
	mutex_init(&view->spaces_lock);
	INIT_LIST_HEAD(&view->spaces);
	view->misc = (struct miscdevice) {
		.minor = MISC_DYNAMIC_MINOR,
		.name = view->name,
		.fops = &window_operations,
		.parent = &view->segments[0].window->pdev->dev,
		.mode = 0600,
	};
	return misc_register(&view->misc);
}

void window_view_deregister(struct window_view *view)
{
	misc_deregister(&view->misc);
	window_view_put(view);
	wait_for_completion(&view->unused);
}
