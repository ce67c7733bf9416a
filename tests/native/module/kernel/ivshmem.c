/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/lockdep.h>
#include <linux/pci.h>

#include "check.h"
#include "ikc_layout.h"

_Static_assert(PCI_VECTORS == IKC_VECTORS, "a handler for each doorbell");

/* ---- interrupts ---- */

/* With pdev->lock, which is free while a handler runs. */
static void pci_interrupt(struct pci_dev *pdev, int vector)
{
	struct pci_irq irq = pdev->irqs[vector];

	pdev->rung &= ~(1u << vector);
	if (!irq.handler)
		return;
	pdev->running = vector;
	pthread_mutex_unlock(&pdev->lock);
	irq_enter();
	irq.handler(vector, irq.data);
	irq_exit();
	pthread_mutex_lock(&pdev->lock);
	pdev->running = -1;
	pthread_cond_broadcast(&pdev->changed);
}

static void *pci_main(void *argument)
{
	struct pci_dev *pdev = argument;

	pthread_mutex_lock(&pdev->lock);
	while (!pdev->gone) {
		if (pdev->rung)
			pci_interrupt(pdev, __builtin_ctz(pdev->rung));
		else
			pthread_cond_wait(&pdev->changed, &pdev->lock);
	}
	pthread_mutex_unlock(&pdev->lock);
	return NULL;
}

void pci_start(struct pci_dev *pdev)
{
	pthread_mutex_init(&pdev->lock, NULL);
	pthread_cond_init(&pdev->changed, NULL);
	pdev->running = -1;
	CHECK(!pthread_create(&pdev->thread, NULL, pci_main, pdev));
}

void pci_stop(struct pci_dev *pdev)
{
	pthread_mutex_lock(&pdev->lock);
	pdev->gone = true;
	pthread_cond_broadcast(&pdev->changed);
	pthread_mutex_unlock(&pdev->lock);
	CHECK(!pthread_join(pdev->thread, NULL));
}

int pci_request_irq(struct pci_dev *pdev, unsigned int vector, irq_handler_t handler, irq_handler_t thread,
		    void *data, const char *format, ...)
{
	(void)thread;
	(void)format;
	pthread_mutex_lock(&pdev->lock);
	CHECK(!pdev->irqs[vector].handler);
	pdev->irqs[vector] = (struct pci_irq){ handler, data };
	pthread_mutex_unlock(&pdev->lock);
	return 0;
}

void pci_free_irq(struct pci_dev *pdev, unsigned int vector, void *data)
{
	might_sleep("pci_free_irq");
	pthread_mutex_lock(&pdev->lock);
	CHECK(pdev->irqs[vector].data == data);
	pdev->irqs[vector].handler = NULL;
	while (pdev->running == (int)vector)
		pthread_cond_wait(&pdev->changed, &pdev->lock);
	pthread_mutex_unlock(&pdev->lock);
}

int irq_set_affinity(unsigned int irq, const struct cpumask *mask)
{
	(void)irq;
	(void)mask;
	return 0;
}

/* ---- its driver's memory ---- */

void *devm_kzalloc(struct device *device, size_t size, gfp_t flags)
{
	struct pci_dev *pdev = container_of(device, struct pci_dev, dev);

	CHECK(!pdev->managed);
	pdev->managed = kzalloc(size, flags);
	return pdev->managed;
}

void pci_release(struct pci_dev *pdev)
{
	kfree(pdev->managed);
	pdev->managed = NULL;
}

/* ---- doorbells ---- */

void pci_ring(struct pci_dev *pdev, u32 vector)
{
	pthread_mutex_lock(&pdev->lock);
	if (vector < PCI_VECTORS) {
		pdev->rung |= 1u << vector;
		pthread_cond_broadcast(&pdev->changed);
	}
	pthread_mutex_unlock(&pdev->lock);
}

void writel(u32 value, void __iomem *address)
{
	struct pci_dev *peer = pci_peer((u8 *)address - IKC_REG_DOORBELL, value >> 16);

	if (peer)
		pci_ring(peer, value & 0xffff);
}

u32 readl(const void __iomem *address)
{
	return *(const u32 *)address;
}

/* ---- CPUs ---- */

static struct lock_class cpu_hotplug_lock = { "cpu_hotplug_lock", 0 };

void cpus_read_lock(void)
{
	might_sleep("cpus_read_lock");
	lockdep_acquire(&cpu_hotplug_lock, false);
}

void cpus_read_unlock(void)
{
	lockdep_release(&cpu_hotplug_lock);
}
