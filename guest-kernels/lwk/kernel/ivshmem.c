/* SPDX-License-Identifier: Apache-2.0 */
/* The ivshmem-doorbell device (QEMU, docs/specs/ivshmem-spec.rst). */
#include <lwk/errno.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/mmio.h>
#include <lwk/pci.h>

#define BAR_REGISTERS 0
#define BAR_MSIX 1 /* ivshmem-plain, which shows a window, has none */
#define BAR_MEMORY 2

struct ivshmem ivshmem;

static struct pci_device *device;
static uint8_t *registers;

static struct pci_device *find_doorbell(void)
{
	for (unsigned int i = 0; i < pci_device_count; i++) {
		struct pci_device *candidate = &pci_devices[i];

		if (candidate->vendor == IKC_PCI_VENDOR && candidate->device == IKC_PCI_DEVICE &&
		    !pci_enable(candidate) && candidate->bars[BAR_MSIX].size)
			return candidate;
	}
	return NULL;
}

int ivshmem_init(void)
{
	device = find_doorbell();
	if (!device)
		return -ENODEV;
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

int ivshmem_listen(const irq_handler handlers[IKC_VECTORS], unsigned int cpu_id)
{
	for (unsigned int i = 0; i < IKC_VECTORS; i++) {
		int irq = irq_allocate(handlers[i], NULL);

		if (irq < 0)
			return irq;
		ivshmem.irqs[i] = irq;
	}
	return pci_enable_msix(device, ivshmem.irqs, IKC_VECTORS, cpu_id);
}

void ivshmem_ring(uint32_t peer, uint32_t vector)
{
	__atomic_thread_fence(__ATOMIC_RELEASE); /* who hears it sees what it was rung for */
	mmio_write32(registers + IKC_REG_DOORBELL, peer << 16 | vector);
}
