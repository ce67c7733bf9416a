// SPDX-License-Identifier: GPL-2.0-only
/* The doorbell device: brings up region, links and /dev/ikc, and serves their interrupts. */
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "chardev.h"
#include "fabric.h"
#include "mailbox.h"
#include "window.h"

struct link *fabric_link(struct fabric *fabric, u32 peer)
{
	if (peer >= fabric->region.map.partition_count || peer == fabric->region.own_id)
		return NULL;
	return &fabric->links[peer];
}

void fabric_reap(struct fabric *fabric)
{
	u32 peer;

	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			link_reap(&fabric->links[peer]);
}

/* ---- interrupts ---- */

static irqreturn_t fabric_control_interrupt(int irq, void *data)
{
	struct fabric *fabric = data;

	link_schedule_control(&fabric->shared.works);
	return IRQ_HANDLED;
}

static irqreturn_t fabric_data_interrupt(int irq, void *data)
{
	struct fabric *fabric = data;

	link_schedule_data(&fabric->shared.works);
	return IRQ_HANDLED;
}

static bool fabric_serve_links(struct fabric *fabric, bool (*serve)(struct link *))
{
	bool more = false;
	u32 peer;

	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			more |= serve(&fabric->links[peer]);
	return more;
}

static void fabric_control_work(struct work_struct *work)
{
	struct fabric *fabric = container_of(work, struct fabric, shared.works.control);

	if (fabric_serve_links(fabric, link_serve_control))
		link_schedule_control(&fabric->shared.works);
	/* Should ever a doorbell get lost, the next PROBE makes up for it. */
	link_schedule_data(&fabric->shared.works);
	vectors_wake(&fabric->shared.vectors);
	windows_look();
	klog_flush(&fabric->klog);
	mailbox_serve(&fabric->life);
}

static void fabric_data_work(struct work_struct *work)
{
	struct fabric *fabric = container_of(work, struct fabric, shared.works.data);

	if (fabric_serve_links(fabric, link_serve_data))
		link_schedule_data(&fabric->shared.works);
}

static int fabric_request_interrupts(struct fabric *fabric, struct pci_dev *pdev)
{
	int err;

	err = pci_alloc_irq_vectors(pdev, IKC_VECTORS, IKC_VECTORS, PCI_IRQ_MSIX);
	if (err < 0) {
		dev_err(&pdev->dev, "needs %u MSI-X vectors: error %d\n", IKC_VECTORS, err);
		return err;
	}
	err = pci_request_irq(pdev, IKC_VECTOR_CONTROL, fabric_control_interrupt, NULL, fabric,
			      "ikc-control");
	if (err)
		goto free_vectors;
	err = pci_request_irq(pdev, IKC_VECTOR_DATA, fabric_data_interrupt, NULL, fabric, "ikc-data");
	if (err)
		goto free_control;
	err = vectors_request(&fabric->shared.vectors, pdev);
	if (err)
		goto free_data;
	return 0;

free_data:
	pci_free_irq(pdev, IKC_VECTOR_DATA, fabric);
free_control:
	pci_free_irq(pdev, IKC_VECTOR_CONTROL, fabric);
free_vectors:
	pci_free_irq_vectors(pdev);
	return err;
}

static void fabric_free_interrupts(struct fabric *fabric, struct pci_dev *pdev)
{
	vectors_free(&fabric->shared.vectors);
	pci_free_irq(pdev, IKC_VECTOR_DATA, fabric);
	pci_free_irq(pdev, IKC_VECTOR_CONTROL, fabric);
	pci_free_irq_vectors(pdev);
}

/* ---- start and stop ---- */

static void fabric_init_shared(struct fabric *fabric)
{
	struct link_shared *shared = &fabric->shared;

	shared->region = &fabric->region;
	endpoints_init(&shared->endpoints);
	listeners_init(&shared->listeners);
	lending_init(&shared->lending, fabric->region.own->pool);
	trace_init(&shared->trace, fabric->region.own);
	vectors_init(&shared->vectors);
	INIT_WORK(&shared->works.control, fabric_control_work);
	INIT_WORK(&shared->works.data, fabric_data_work);
}

static int fabric_init_links(struct fabric *fabric)
{
	u32 peer;

	fabric_init_shared(fabric);
	fabric->links = kvcalloc(fabric->region.map.partition_count, sizeof(*fabric->links), GFP_KERNEL);
	if (!fabric->links)
		return -ENOMEM;
	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			link_init(&fabric->links[peer], &fabric->shared, peer);
	return 0;
}

static void fabric_stop_links(struct fabric *fabric)
{
	u32 peer;

	for (peer = 0; peer < fabric->region.map.partition_count; peer++)
		if (fabric_link(fabric, peer))
			link_stop(&fabric->links[peer]);
	cancel_work_sync(&fabric->shared.works.control);
	cancel_work_sync(&fabric->shared.works.data);
}

/* Everything is ready to be used before the first interrupt and before the first open. */
static int fabric_start(struct fabric *fabric, struct pci_dev *pdev)
{
	int err;

	err = fabric_init_links(fabric);
	if (err)
		return err;
	klog_start(&fabric->klog, &fabric->region.own->log);
	err = life_start(&fabric->life, &fabric->region, &fabric->klog);
	if (err)
		goto stop_klog;
	err = fabric_request_interrupts(fabric, pdev);
	if (err)
		goto stop_life;
	err = chardev_register(fabric);
	if (err)
		goto free_interrupts;
	link_schedule_control(&fabric->shared.works);
	return 0;

free_interrupts:
	fabric_free_interrupts(fabric, pdev);
	fabric_stop_links(fabric);
stop_life:
	life_stop(&fabric->life);
stop_klog:
	klog_stop(&fabric->klog);
	kvfree(fabric->links);
	return err;
}

int fabric_probe(struct pci_dev *pdev)
{
	struct fabric *fabric;
	char name[IKC_NAME_SIZE];
	int err;

	fabric = devm_kzalloc(&pdev->dev, sizeof(*fabric), GFP_KERNEL);
	if (!fabric)
		return -ENOMEM;
	err = region_map(&fabric->region, pdev);
	if (err)
		return err;
	pci_set_master(pdev);
	err = fabric_start(fabric, pdev);
	if (err)
		return err;
	pci_set_drvdata(pdev, fabric);
	region_name(&fabric->region, fabric->region.own_id, name);
	dev_info(&pdev->dev, "this is %s, partition %u of %u, in its life %u\n", name,
		 fabric->region.own_id, fabric->region.map.partition_count, fabric->region.incarnation);
	windows_publish(&fabric->region);
	return 0;
}

void fabric_remove(struct pci_dev *pdev)
{
	struct fabric *fabric = pci_get_drvdata(pdev);

	windows_unpublish();
	chardev_deregister(fabric);
	fabric_free_interrupts(fabric, pdev);
	fabric_stop_links(fabric);
	life_stop(&fabric->life);
	klog_stop(&fabric->klog);
	kvfree(fabric->links);
}

void fabric_shutdown(struct pci_dev *pdev)
{
	struct fabric *fabric = pci_get_drvdata(pdev);

	fabric_free_interrupts(fabric, pdev);
	fabric_stop_links(fabric);
}
