// SPDX-License-Identifier: GPL-2.0-only
/*
 * ikc.ko: the ivshmem devices of an enclave's host (QEMU, docs/specs/ivshmem-spec.rst). One with
 * doorbells shows the IKC region, one without is a window.
 */
#include <linux/module.h>
#include <linux/pci.h>

#include "fabric.h"
#include "window.h"

static bool pci_is_doorbell(struct pci_dev *pdev)
{
	return pci_resource_len(pdev, REGION_BAR_MSIX) > 0;
}

static int ikc_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int err = pcim_enable_device(pdev);

	if (err)
		return err;
	return pci_is_doorbell(pdev) ? fabric_probe(pdev) : window_probe(pdev);
}

static void ikc_pci_remove(struct pci_dev *pdev)
{
	if (pci_is_doorbell(pdev))
		fabric_remove(pdev);
	else
		window_remove(pdev);
}

static void ikc_pci_shutdown(struct pci_dev *pdev)
{
	if (pci_is_doorbell(pdev))
		fabric_shutdown(pdev);
}

static const struct pci_device_id ikc_pci_devices[] = {
	{ PCI_DEVICE(IKC_PCI_VENDOR, IKC_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ikc_pci_devices);

static struct pci_driver ikc_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ikc_pci_devices,
	.probe = ikc_pci_probe,
	.remove = ikc_pci_remove,
	.shutdown = ikc_pci_shutdown,
	/* It goes with the module only, which stays while /dev/ikc or a window is open. */
	.driver.suppress_bind_attrs = true,
};
module_pci_driver(ikc_pci_driver);

MODULE_DESCRIPTION("Inter-kernel communication of an enclave");
MODULE_LICENSE("GPL");
