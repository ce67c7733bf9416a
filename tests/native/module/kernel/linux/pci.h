/* SPDX-License-Identifier: Apache-2.0 */
/* The ivshmem device of one end: its doorbells out, and its interrupts in, from a thread of its own. */
#ifndef NATIVE_LINUX_PCI_H
#define NATIVE_LINUX_PCI_H

#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <pthread.h>
#include <stdio.h>

#define PCI_VECTORS 6

struct device {
	const char *name;
};

/* Nobody reads it; its format is checked. */
#define dev_err(device, ...) ((void)(device), (void)sizeof(printf(__VA_ARGS__)))
#define dev_info dev_err
#define dev_info_ratelimited dev_err

struct pci_irq {
	irq_handler_t handler; /* NULL: not requested */
	void *data;
};

struct pci_dev {
	struct device dev;
	u32 registers[64];
	void *memory;
	size_t memory_size;
	void *driver_data;
	void *managed; /* freed with the device; one is all that is asked for */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct pci_irq irqs[PCI_VECTORS];
	u32 rung;    /* a bit per vector: several doorbells are one interrupt */
	int running; /* vector whose handler runs, or below 0 */
	bool gone;
	pthread_t thread;
};

int pci_request_irq(struct pci_dev *pdev, unsigned int vector, irq_handler_t handler, irq_handler_t thread,
		    void *data, const char *format, ...);

/* Its handler does not run any more. */
void pci_free_irq(struct pci_dev *pdev, unsigned int vector, void *data);

static inline int pci_irq_vector(struct pci_dev *pdev, unsigned int vector)
{
	(void)pdev;
	return (int)vector;
}

#define PCI_IRQ_MSIX 4

static inline int pci_alloc_irq_vectors(struct pci_dev *pdev, u32 least, u32 most, u32 flags)
{
	(void)pdev;
	(void)least;
	(void)flags;
	return (int)most;
}

#define pci_free_irq_vectors(pdev) ((void)(pdev))
#define pci_set_master(pdev) ((void)(pdev))

/* ---- what it shows, and what is its driver's ---- */

#define MEMREMAP_WB 1

#define pci_resource_start(pdev, bar) ((phys_addr_t)(uintptr_t)(pdev)->memory)
#define pci_resource_len(pdev, bar) ((pdev)->memory_size)
#define pcim_iomap_regions(pdev, mask, name) ((void)(pdev), 0)
#define pcim_iomap_table(pdev) ((void *[]){ (pdev)->registers })
#define pci_request_region(pdev, bar, name) ((void)(pdev), 0)
#define devm_memremap(device, phys, size, flags) ((void *)(uintptr_t)(phys))

#define pci_set_drvdata(pdev, data) ((void)((pdev)->driver_data = (data)))
#define pci_get_drvdata(pdev) ((pdev)->driver_data)

void *devm_kzalloc(struct device *device, size_t size, gfp_t flags);

/* ---- for tests ---- */

void pci_start(struct pci_dev *pdev);
void pci_stop(struct pci_dev *pdev);

/* The driver has gone: what it had is freed. */
void pci_release(struct pci_dev *pdev);

/* An interrupt, if there is a handler for it. */
void pci_ring(struct pci_dev *pdev, u32 vector);

/* Where a doorbell goes that is rung at `registers`; NULL: nowhere. */
struct pci_dev *pci_peer(const void *registers, u32 peer);

#endif
