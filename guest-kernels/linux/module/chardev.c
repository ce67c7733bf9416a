// SPDX-License-Identifier: GPL-2.0-only
/* /dev/ikc: each open file is an endpoint. */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "channel_open.h"
#include "chardev.h"
#include "ikc_uapi.h"
#include "waiting.h"

struct opening {
	struct fabric *fabric;
	struct endpoint endpoint;
	struct listener listener;
};

/* ---- open and close ---- */

static int chardev_open(struct inode *inode, struct file *file)
{
	struct fabric *fabric = container_of(file->private_data, struct fabric, misc);
	struct opening *opening = kzalloc(sizeof(*opening), GFP_KERNEL);

	if (!opening)
		return -ENOMEM;
	opening->fabric = fabric;
	endpoint_init(&opening->endpoint, &fabric->shared.endpoints);
	listener_init(&opening->listener, &fabric->shared.listeners);
	fabric_get(fabric);
	file->private_data = opening;
	return nonseekable_open(inode, file);
}

static void chardev_resume_links(struct fabric *fabric)
{
	u32 peer;

	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			link_resume(&fabric->links[peer]);
}

static int chardev_release(struct inode *inode, struct file *file)
{
	struct opening *opening = file->private_data;
	struct fabric *fabric = opening->fabric;

	listener_destroy(&opening->listener);
	endpoint_destroy(&opening->endpoint);
	chardev_resume_links(fabric);
	kfree(opening);
	fabric_put(fabric);
	return 0;
}

/* ---- messages ---- */

/* What is being sent. */
struct sending {
	struct opening *opening;
	struct link *link;
	struct ikc_message message;
	const void *payload;
};

/* What the endpoint has to be told comes before anything is sent. */
static int chardev_send_once(void *context)
{
	struct sending *sending = context;
	struct endpoint *endpoint = &sending->opening->endpoint;
	struct link *link = sending->link;
	int err;

	if (READ_ONCE(sending->opening->fabric->stopping))
		return -ENODEV;
	err = endpoint_prepare_send(endpoint, link->ikc.peer_id, sending->message.to_port);
	if (err == -ENETRESET)
		link_resume(link);
	if (err)
		return err;
	sending->message.from_port = endpoint->port;
	return link_send(link, &sending->message, sending->payload);
}

static int chardev_send_waiting(struct sending *sending)
{
	long left = MAX_SCHEDULE_TIMEOUT;

	return waiting_for(&sending->link->writable, chardev_send_once, sending, &left);
}

static long chardev_send(struct opening *opening, void __user *argument, bool wait)
{
	struct ikc_transfer transfer;
	struct sending sending = { .opening = opening };
	void *payload;
	int err;

	if (copy_from_user(&transfer, argument, sizeof(transfer)))
		return -EFAULT;
	if (transfer.reserved || transfer.address.reserved)
		return -EINVAL;
	if (transfer.length > IKC_MESSAGE_MAX)
		return -EMSGSIZE;
	if (!transfer.address.port)
		return -EDESTADDRREQ;
	sending.link = fabric_link(opening->fabric, transfer.address.partition);
	if (!sending.link)
		return -EHOSTUNREACH;
	payload = memdup_user(u64_to_user_ptr(transfer.buffer), transfer.length);
	if (IS_ERR(payload))
		return PTR_ERR(payload);
	sending.message.length = transfer.length;
	sending.message.to_port = transfer.address.port;
	sending.payload = payload;
	err = wait ? chardev_send_waiting(&sending) : chardev_send_once(&sending);
	kfree(payload);
	return err;
}

/* Waits until endpoint_take has something to say other than -EAGAIN. */
static int chardev_take(struct opening *opening, struct ikc_transfer *transfer, struct parcel **parcel,
			bool wait)
{
	struct endpoint *endpoint = &opening->endpoint;
	int err;

	for (;;) {
		if (READ_ONCE(opening->fabric->stopping))
			return -ENODEV;
		err = endpoint_take(endpoint, transfer->length, parcel, &transfer->length,
				    &transfer->address.partition);
		if (err != -EAGAIN || !wait)
			return err;
		err = wait_event_interruptible(endpoint->changed,
					       endpoint_has_news(endpoint) ||
					       READ_ONCE(opening->fabric->stopping));
		if (err)
			return err;
	}
}

static long chardev_receive(struct opening *opening, void __user *argument, bool wait)
{
	struct ikc_transfer transfer;
	struct parcel *parcel = NULL;
	int err;

	if (copy_from_user(&transfer, argument, sizeof(transfer)))
		return -EFAULT;
	if (transfer.reserved || transfer.address.reserved)
		return -EINVAL;
	err = chardev_take(opening, &transfer, &parcel, wait);
	if (!err) {
		transfer.address.partition = parcel->partition;
		transfer.address.port = parcel->from_port;
		transfer.length = parcel->length;
		if (copy_to_user(u64_to_user_ptr(transfer.buffer), parcel->data, parcel->length))
			err = -EFAULT;
		kfree(parcel);
	}
	if (!err || err == -ENETRESET)
		link_resume(&opening->fabric->links[transfer.address.partition]);
	if (copy_to_user(argument, &transfer, sizeof(transfer)))
		return -EFAULT;
	return err;
}

/* ---- the other ioctls ---- */

static long chardev_info(struct opening *opening, void __user *argument)
{
	const struct region *region = &opening->fabric->region;
	struct ikc_info info = {
		.own_id = region->own_id,
		.partition_count = region->map.partition_count,
		.monitor_id = region->map.monitor_id,
		.incarnation = region->incarnation,
		.run_id = region->map.run_id,
		.region_size = region->size,
	};

	return copy_to_user(argument, &info, sizeof(info)) ? -EFAULT : 0;
}

static long chardev_bind(struct opening *opening, void __user *argument)
{
	struct ikc_address address;
	int err;

	if (copy_from_user(&address, argument, sizeof(address)))
		return -EFAULT;
	if (address.reserved)
		return -EINVAL;
	err = endpoint_bind(&opening->endpoint, address.port);
	if (err)
		return err;
	address.port = opening->endpoint.port;
	return copy_to_user(argument, &address, sizeof(address)) ? -EFAULT : 0;
}

static long chardev_connect(struct opening *opening, void __user *argument)
{
	struct ikc_address address;

	if (copy_from_user(&address, argument, sizeof(address)))
		return -EFAULT;
	if (address.reserved || !address.port)
		return -EINVAL;
	if (!fabric_link(opening->fabric, address.partition))
		return -EHOSTUNREACH;
	return endpoint_connect(&opening->endpoint, address.partition, address.port);
}

static long chardev_listen(struct opening *opening, void __user *argument)
{
	struct ikc_listen listen;

	if (copy_from_user(&listen, argument, sizeof(listen)))
		return -EFAULT;
	if (listen.reserved || !listen.port || !listen.packet_size || listen.packet_size > IKC_MESSAGE_MAX)
		return -EINVAL;
	return listener_listen(&opening->listener, listen.port, listen.magic, listen.packet_size);
}

static long chardev_ping(struct opening *opening, void __user *argument)
{
	struct ikc_round_trip trip;
	struct link *link;
	int err;

	if (copy_from_user(&trip, argument, sizeof(trip)))
		return -EFAULT;
	link = fabric_link(opening->fabric, trip.partition);
	if (!link)
		return -EHOSTUNREACH;
	err = link_ping(link, trip.timeout_ms, &trip.round_trip_ns);
	if (err)
		return err;
	return copy_to_user(argument, &trip, sizeof(trip)) ? -EFAULT : 0;
}

static long chardev_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct opening *opening = file->private_data;
	void __user *pointer = (void __user *)argument;
	bool wait = !(file->f_flags & O_NONBLOCK);

	if (READ_ONCE(opening->fabric->stopping))
		return -ENODEV;
	switch (command) {
	case IKC_IOCTL_INFO:
		return chardev_info(opening, pointer);
	case IKC_IOCTL_BIND:
		return chardev_bind(opening, pointer);
	case IKC_IOCTL_CONNECT:
		return chardev_connect(opening, pointer);
	case IKC_IOCTL_SEND:
		return chardev_send(opening, pointer, wait);
	case IKC_IOCTL_RECEIVE:
		return chardev_receive(opening, pointer, wait);
	case IKC_IOCTL_PING:
		return chardev_ping(opening, pointer);
	case IKC_IOCTL_LISTEN:
		return chardev_listen(opening, pointer);
	case IKC_IOCTL_ACCEPT:
		return channel_accept(opening->fabric, &opening->listener, pointer, wait);
	case IKC_IOCTL_OPEN:
		return channel_open(opening->fabric, opening->endpoint.port, pointer);
	case IKC_IOCTL_READY:
		life_set_ready(&opening->fabric->life);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* ---- poll and mmap ---- */

static __poll_t chardev_poll(struct file *file, poll_table *table)
{
	struct opening *opening = file->private_data;
	struct endpoint *endpoint = &opening->endpoint;
	__poll_t events = 0;
	u32 peer;

	poll_wait(file, &endpoint->changed, table);
	poll_wait(file, &opening->listener.changed, table);
	if (endpoint_is_connected(endpoint, &peer)) {
		struct link *link = &opening->fabric->links[peer];

		poll_wait(file, &link->writable, table);
		events |= link_has_room(link) ? EPOLLOUT : 0;
	} else {
		events |= EPOLLOUT;
	}
	if (endpoint_has_news(endpoint) || listener_has_channel(&opening->listener))
		events |= EPOLLIN;
	if (endpoint_has_error(endpoint))
		events |= EPOLLERR;
	if (READ_ONCE(opening->fabric->stopping))
		events |= EPOLLHUP;
	return events;
}

/* One page: of the whole region most programs look at two or three. */
static vm_fault_t chardev_fault(struct vm_fault *fault)
{
	const struct region *region = fault->vma->vm_private_data;

	return vmf_insert_pfn(fault->vma, fault->address, PHYS_PFN(region->phys) + fault->pgoff);
}

static const struct vm_operations_struct chardev_vm_operations = {
	.fault = chardev_fault,
};

static int chardev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct opening *opening = file->private_data;
	struct region *region = &opening->fabric->region;
	u64 pages = PHYS_PFN(region->size);

	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	if (vma->vm_pgoff > pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	vma->vm_flags &= ~VM_MAYWRITE;
	vma->vm_flags |= VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
	vma->vm_private_data = region;
	vma->vm_ops = &chardev_vm_operations;
	return 0;
}

static const struct file_operations chardev_operations = {
	.owner = THIS_MODULE,
	.open = chardev_open,
	.release = chardev_release,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = chardev_poll,
	.mmap = chardev_mmap,
	.llseek = no_llseek,
};

int chardev_register(struct fabric *fabric)
{
	atomic_set(&fabric->users, 1);
	init_completion(&fabric->unused);
	fabric->misc = (struct miscdevice) {
		.minor = MISC_DYNAMIC_MINOR,
		.name = "ikc",
		.fops = &chardev_operations,
		.parent = &fabric->region.pdev->dev,
		.mode = 0600,
	};
	return misc_register(&fabric->misc);
}

void chardev_deregister(struct fabric *fabric)
{
	u32 peer;

	misc_deregister(&fabric->misc);
	WRITE_ONCE(fabric->stopping, true);
	endpoints_wake(&fabric->shared.endpoints);
	listeners_wake(&fabric->shared.listeners);
	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			link_wake(&fabric->links[peer]);
	fabric_put(fabric);
	wait_for_completion(&fabric->unused);
}
