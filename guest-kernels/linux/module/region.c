// SPDX-License-Identifier: GPL-2.0-only
/* Maps the IKC region and finds out who we are in it. */
#include <linux/ctype.h>

#include "region.h"

struct ikc_partition *region_partition(const struct region *region, u32 index)
{
	return ikc_partition_at(&region->map, index);
}

static bool region_name_is_proper(const char *name)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (!isalnum(*name) && *name != '-' && *name != '_' && *name != '.')
			return false;
	return true;
}

void region_name(const struct region *region, u32 index, char name[IKC_NAME_SIZE])
{
	memcpy(name, region_partition(region, index)->identity.name, IKC_NAME_SIZE);
	name[IKC_NAME_SIZE - 1] = '\0';
	if (!region_name_is_proper(name))
		strscpy(name, "partition", IKC_NAME_SIZE);
}

static int region_read_header(struct region *region)
{
	struct device *dev = &region->pdev->dev;
	const char *fault = ikc_map_region(&region->map, region->base, region->size);

	if (fault) {
		dev_err(dev, "BAR2 is no IKC region of this ABI (%u): %s\n", IKC_ABI_MAJOR, fault);
		return -EINVAL;
	}
	region->own_id = readl(region->registers + IKC_REG_IVPOSITION);
	if (region->own_id >= region->map.partition_count) {
		dev_err(dev, "IVPosition is %u, but the region has %u partitions\n", region->own_id,
			region->map.partition_count);
		return -EINVAL;
	}
	region->own = region_partition(region, region->own_id);
	region->incarnation = ikc_load_acquire(&region->own->mailbox.incarnation);
	return 0;
}

int region_map(struct region *region, struct pci_dev *pdev)
{
	int err;

	region->pdev = pdev;
	region->phys = pci_resource_start(pdev, REGION_BAR_MEMORY);
	region->size = pci_resource_len(pdev, REGION_BAR_MEMORY);
	if (region->size < sizeof(struct ikc_region)) {
		dev_err(&pdev->dev, "BAR2 has no memory\n");
		return -ENODEV;
	}
	err = pcim_iomap_regions(pdev, BIT(REGION_BAR_REGISTERS), KBUILD_MODNAME);
	if (err)
		return err;
	region->registers = pcim_iomap_table(pdev)[REGION_BAR_REGISTERS];

	err = pci_request_region(pdev, REGION_BAR_MEMORY, KBUILD_MODNAME);
	if (err)
		return err;
	/* Write-back: the BAR is RAM of the machine below, shared and coherent. */
	region->base = devm_memremap(&pdev->dev, region->phys, region->size, MEMREMAP_WB);
	if (IS_ERR(region->base))
		return PTR_ERR(region->base);
	return region_read_header(region);
}
