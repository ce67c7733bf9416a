// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address space of a process on an LWK. Its mapping is filled by faults: the page tables that the LWK has made
 * are read in its window, and the very page that they name is mapped.
 *
 * What the LWK takes away it first removes from its tables and then has zapped; a fault that has read the old
 * entry is over by then, because it holds `lock` for reading and the zap for writing.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn_t.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "ikc_uapi.h"
#include "ikc_walk.h"
#include "region.h"
#include "space.h"

#define SPACE_NEIGHBOURHOOD (64ull * 1024)

/* Linux does I/O into pages no longer than this, or somebody has lent them to hardware for good. */
#define SPACE_PINS_MAX (10 * HZ)

struct space {
	struct list_head list; /* of the view, under its lock */
	struct window_view *view;
	u64 root;
	u32 incarnation; /* of the partition; its next one has other pages there */
	struct rw_semaphore lock;
	bool dead; /* under it: with its partition */
	bool ended; /* under it: its process has, here or there */
	struct address_space *mapping; /* whoever maps it; set by the first, under `lock` */
	struct xarray touched; /* neighbourhoods that pages were mapped of, by number: nobody has got hold of others */
};

/* ---- the partition's words ---- */

static u32 space_incarnation(const struct window_view *view)
{
	const struct ikc_mailbox *mailbox = &region_partition(view->region, view->partition)->mailbox;
	u32 incarnation = ikc_load_acquire(&mailbox->incarnation);

	return ikc_load(&mailbox->alive) ? incarnation : 0;
}

static const uint64_t *space_table(void *context, uint64_t address)
{
	const struct window_segment *segment = window_view_segment(context, address);
	const struct window *window;

	if (!segment)
		return NULL;
	window = segment->window;
	return window->mapped + (segment->host - window->base) + (address - segment->guest);
}

/* The page at an address of the program, here. */
static vm_fault_t space_find(struct space *space, u64 address, struct ikc_walk_page *page, pfn_t *pfn)
{
	const struct window_segment *segment;

	if (space->dead || space->ended || space_incarnation(space->view) != space->incarnation)
		return VM_FAULT_SIGBUS;
	if (!ikc_walk(space->root, address, space_table, space->view, page))
		return VM_FAULT_SIGBUS;
	segment = window_view_segment(space->view, page->page);
	if (!segment)
		return VM_FAULT_SIGBUS;
	*pfn = phys_to_pfn_t(segment->host + (page->page - segment->guest), PFN_DEV | PFN_MAP);
	return 0;
}

/* ---- faults ---- */

static vm_fault_t space_insert(struct space *space, struct vm_area_struct *vma, u64 address, bool write)
{
	struct ikc_walk_page page;
	vm_fault_t result;
	pgprot_t rights;
	pfn_t pfn;

	result = space_find(space, address, &page, &pfn);
	if (result)
		return result;
	if (!page.writable && write)
		return VM_FAULT_SIGBUS;
	/* not vm_page_prot, which has each page's first write be asked for */
	rights = vm_get_page_prot(page.writable ? vma->vm_flags : vma->vm_flags & ~VM_WRITE);
	return vmf_insert_mixed_prot(vma, address, pfn, rights);
}

/* Whoever touches one page will touch its neighbours: a fault costs more than all of these. */
static void space_insert_neighbours(struct space *space, struct vm_fault *fault)
{
	struct vm_area_struct *vma = fault->vma;
	u64 start = max_t(u64, fault->address & ~(SPACE_NEIGHBOURHOOD - 1), vma->vm_start);
	u64 end = min_t(u64, (fault->address | (SPACE_NEIGHBOURHOOD - 1)) + 1, vma->vm_end);
	u64 address;

	for (address = start; address < end; address += PAGE_SIZE)
		if (address != fault->address)
			space_insert(space, vma, address, false);
}

static int space_touch(struct space *space, u64 address)
{
	unsigned long index = address / SPACE_NEIGHBOURHOOD;

	if (xa_load(&space->touched, index))
		return 0;
	return xa_err(xa_store(&space->touched, index, xa_mk_value(0), GFP_KERNEL_ACCOUNT));
}

static vm_fault_t space_fault(struct vm_fault *fault)
{
	struct space *space = fault->vma->vm_file->private_data;
	vm_fault_t result;

	if (space_touch(space, fault->address))
		return VM_FAULT_OOM;
	down_read(&space->lock);
	result = space_insert(space, fault->vma, fault->address, fault->flags & FAULT_FLAG_WRITE);
	if (result == VM_FAULT_NOPAGE)
		space_insert_neighbours(space, fault);
	up_read(&space->lock);
	return result;
}

/* A page that was not writable when it was mapped is written to: it becomes writable if the LWK says so now. */
static vm_fault_t space_write_fault(struct vm_fault *fault)
{
	struct space *space = fault->vma->vm_file->private_data;
	struct ikc_walk_page page;
	vm_fault_t result;
	pfn_t pfn;

	down_read(&space->lock);
	result = space_find(space, (u64)fault->pgoff << PAGE_SHIFT, &page, &pfn);
	if (!result && !page.writable)
		result = VM_FAULT_SIGBUS;
	up_read(&space->lock);
	return result;
}

static const struct vm_operations_struct space_vm_operations = {
	.fault = space_fault,
	.pfn_mkwrite = space_write_fault,
};

/* At its own addresses, or the same pointers would not be the same. EINVAL: elsewhere. */
static int space_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct space *space = file->private_data;

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_pgoff != vma->vm_start >> PAGE_SHIFT || vma->vm_start < IKC_USER_START ||
	    vma->vm_end > IKC_USER_END)
		return -EINVAL;
	vma->vm_flags |= VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY;
	vma->vm_flags &= ~VM_MAYEXEC;
	vma->vm_ops = &space_vm_operations;
	down_write(&space->lock);
	space->mapping = file->f_mapping;
	up_write(&space->lock);
	return 0;
}

/* ---- zaps ---- */

/* The caller holds `lock` for writing. */
static void space_unmap(struct space *space, u64 start, u64 length)
{
	if (space->mapping)
		unmap_mapping_range(space->mapping, start, length, 1);
}

/* Pages of a device count one use if nobody has got hold of them. */
static bool space_leaf_is_pinned(const struct space *space, const struct ikc_walk_leaf *leaf, u64 from, u64 to)
{
	u64 at = leaf->page + from, end = leaf->page + to;

	while (at < end) {
		const struct window_segment *segment = window_view_segment(space->view, at);
		u64 until = segment ? min(end, segment->guest + segment->size) : end;
		u64 pfn;

		if (!segment)
			return false;
		pfn = PHYS_PFN(segment->host + (at - segment->guest));
		for (; at < until; at += PAGE_SIZE, pfn++)
			if (page_ref_count(pfn_to_page(pfn)) > 1)
				return true;
	}
	return false;
}

/* Of what the process has there, shown or not. A few leaves, whatever the table says. */
static bool space_part_is_pinned(struct space *space, u64 start, u64 end)
{
	while (start < end) {
		struct ikc_walk_leaf leaf = ikc_walk_to_leaf(space->root, start, space_table, space->view);
		u64 from = start & (leaf.size - 1), to = min(leaf.size, from + (end - start));

		if (leaf.is_page && space_leaf_is_pinned(space, &leaf, from, to))
			return true;
		start += to - from;
	}
	return false;
}

/* `end` is behind `start`. */
static bool space_is_pinned(struct space *space, u64 start, u64 end)
{
	unsigned long index;
	void *entry;

	xa_for_each_range(&space->touched, index, entry, start / SPACE_NEIGHBOURHOOD, (end - 1) / SPACE_NEIGHBOURHOOD) {
		u64 from = (u64)index * SPACE_NEIGHBOURHOOD;

		if (space_part_is_pinned(space, max(start, from), min(end, from + SPACE_NEIGHBOURHOOD)))
			return true;
		cond_resched();
	}
	return false;
}

/* Who got hold of a page before it was unmapped (O_DIRECT) still writes to it: it must not be another's by then. */
static void space_await_unpinned(struct space *space, u64 start, u64 end)
{
	unsigned long deadline = jiffies + SPACE_PINS_MAX;

	while (!READ_ONCE(space->dead) && space_is_pinned(space, start, end)) {
		if (time_after(jiffies, deadline)) {
			pr_warn_ratelimited("ikc: pages of a process are in use after it has given them back\n");
			return;
		}
		usleep_range(100, 1000);
	}
}

/* The process has ended: nothing is found any more, whatever becomes of its page table. */
static void space_end(struct space *space)
{
	bool alive;

	down_write(&space->lock);
	alive = !space->ended && !space->dead;
	space->ended = true;
	space_unmap(space, 0, IKC_USER_END);
	up_write(&space->lock);
	if (alive)
		space_await_unpinned(space, IKC_USER_START, IKC_USER_END);
}

static long space_zap(struct space *space, void __user *argument)
{
	struct ikc_range range;

	if (copy_from_user(&range, argument, sizeof(range)))
		return -EFAULT;
	if (!PAGE_ALIGNED(range.start | range.length) || !range.length || range.start < IKC_USER_START ||
	    range.start > IKC_USER_END || range.length > IKC_USER_END - range.start)
		return -EINVAL;
	down_write(&space->lock);
	space_unmap(space, range.start, range.length);
	up_write(&space->lock);
	space_await_unpinned(space, range.start, range.start + range.length);
	return 0;
}

void spaces_look(struct window_view *view)
{
	u32 incarnation = space_incarnation(view);
	struct space *space;

	mutex_lock(&view->spaces_lock);
	list_for_each_entry(space, &view->spaces, list) {
		if (space->incarnation == incarnation)
			continue;
		down_write(&space->lock);
		space->dead = true;
		space_unmap(space, 0, IKC_USER_END);
		up_write(&space->lock);
	}
	mutex_unlock(&view->spaces_lock);
}

/* ---- the file ---- */

static long space_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	if (command == IKC_IOCTL_ZAP)
		return space_zap(file->private_data, (void __user *)argument);
	if (command != IKC_IOCTL_END)
		return -ENOTTY;
	space_end(file->private_data);
	return 0;
}

/*
 * A proxy that is killed closes its files in their order, and its channel behind this one: by that the LWK hears of it, and
 * gives the memory to others. A file that was not mapped yet is closed because it has got another number.
 */
static int space_flush(struct file *file, fl_owner_t owner)
{
	struct space *space = file->private_data;

	if (READ_ONCE(space->mapping))
		space_end(space);
	return 0;
}

static void space_free(struct space *space)
{
	mutex_lock(&space->view->spaces_lock);
	list_del(&space->list);
	mutex_unlock(&space->view->spaces_lock);
	window_view_put(space->view);
	xa_destroy(&space->touched);
	kfree(space);
}

static int space_release(struct inode *inode, struct file *file)
{
	space_free(file->private_data);
	return 0;
}

static const struct file_operations space_operations = {
	.owner = THIS_MODULE,
	.flush = space_flush,
	.release = space_release,
	.unlocked_ioctl = space_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = space_mmap,
	.llseek = no_llseek,
};

static struct space *space_new(struct window_view *view, u64 root)
{
	struct space *space = kzalloc(sizeof(*space), GFP_KERNEL);

	if (!space)
		return NULL;
	space->view = view;
	space->root = root;
	space->incarnation = space_incarnation(view);
	init_rwsem(&space->lock);
	xa_init_flags(&space->touched, XA_FLAGS_ACCOUNT);
	window_view_get(view);
	mutex_lock(&view->spaces_lock);
	list_add(&space->list, &view->spaces);
	mutex_unlock(&view->spaces_lock);
	return space;
}

/* An inode of its own, because a zap goes by the inode. */
long space_open(struct window_view *view, void __user *argument)
{
	struct ikc_space_open open;
	struct space *space;
	int fd;

	if (copy_from_user(&open, argument, sizeof(open)))
		return -EFAULT;
	if (open.reserved || !PAGE_ALIGNED(open.root))
		return -EINVAL;
	space = space_new(view, open.root);
	if (!space)
		return -ENOMEM;
	if (!space->incarnation) {
		space_free(space);
		return -ENOTCONN;
	}
	fd = anon_inode_getfd_secure("[ikc-space]", &space_operations, space, O_RDWR | O_CLOEXEC, NULL);
	if (fd < 0)
		space_free(space);
	return fd;
}
