/* SPDX-License-Identifier: Apache-2.0 */
/* The ivshmem-doorbell device (QEMU, docs/specs/ivshmem-spec.rst). */
#include <lwk/errno.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/mmio.h>
#include <lwk/pci.h>

#define BAR_REGISTERS 0
#define BAR_MEMORY 2

struct ivshmem ivshmem;

static struct pci_device *device;
static uint8_t *registers;

/* ivshmem-plain, which shows a window, has no vectors. */
static struct pci_device *find_doorbell(void)
{
	for (unsigned int i = 0; i < pci_device_count; i++) {
		struct pci_device *candidate = &pci_devices[i];

		if (candidate->vendor == IKC_PCI_VENDOR && candidate->device == IKC_PCI_DEVICE &&
		    pci_has_msix(candidate))
			return candidate;
	}
	return NULL;
}

int ivshmem_init(void)
{
	int err;

	device = find_doorbell();
	if (!device)
		return -ENODEV;
	err = pci_enable(device);
	if (err)
		return err;
	registers = pci_map_bar(device, BAR_REGISTERS, MEMORY_UNCACHED);
	if (!registers)
		return -ENOMEM;
	ivshmem.memory = pci_map_bar(device, BAR_MEMORY, MEMORY_WRITE_BACK);
	if (!ivshmem.memory)
		return -ENOMEM;
	ivshmem.size = device->bars[BAR_MEMORY].size;
	ivshmem.id = mmio_read32(registers + IKC_REG_IVPOSITION);
	log_info("ivshmem: peer %u, %lu KiB at 0x%lx", ivshmem.id, ivshmem.size / KIB(1),
		 device->bars[BAR_MEMORY].base);
	return 0;
}

int ivshmem_listen(const struct ivshmem_vector vectors[IKC_VECTORS])
{
	unsigned int cpu_ids[IKC_VECTORS];

	for (unsigned int i = 0; i < IKC_VECTORS; i++) {
		int irq = irq_allocate(vectors[i].handler, vectors[i].arg);

		if (irq < 0)
			return irq;
		ivshmem.irqs[i] = irq;
		cpu_ids[i] = vectors[i].cpu_id;
	}
	return pci_enable_msix(device, ivshmem.irqs, cpu_ids, IKC_VECTORS);
}

void ivshmem_ring(uint32_t peer, uint32_t vector)
{
	__atomic_thread_fence(__ATOMIC_RELEASE); /* who hears it sees what it was rung for */
	mmio_write32(registers + IKC_REG_DOORBELL, peer << 16 | vector);
}
