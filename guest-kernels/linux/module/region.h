/* SPDX-License-Identifier: GPL-2.0-only */
/* The IKC region as this kernel sees it, who we are in it, and the doorbells. */
#ifndef REGION_H
#define REGION_H

#include <linux/io.h>
#include <linux/pci.h>

#include "ikc_layout.h"

#define REGION_BAR_REGISTERS 0
#define REGION_BAR_MSIX 1
#define REGION_BAR_MEMORY 2

struct region {
	struct pci_dev *pdev;
	void __iomem *registers;
	void *base;
	phys_addr_t phys;
	u64 size; /* of the BAR */

	struct ikc_map map;
	u32 own_id;
	u32 incarnation;
	struct ikc_partition *own;
};

/* Maps and checks the region; managed by the device. */
int region_map(struct region *region, struct pci_dev *pdev);

struct ikc_partition *region_partition(const struct region *region, u32 index);

/* The partition's name; one that is no proper name is shown as "partition". */
void region_name(const struct region *region, u32 index, char name[IKC_NAME_SIZE]);

static inline void region_ring(const struct region *region, u32 peer, enum ikc_vector vector)
{
	writel(peer << 16 | vector, region->registers + IKC_REG_DOORBELL);
}

static inline void region_ring_monitor(const struct region *region)
{
	region_ring(region, region->map.monitor_id, IKC_VECTOR_CONTROL);
}

#endif
