/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_MM_H
#define NATIVE_LINUX_MM_H

#include <linux/slab.h>

#define VM_WRITE 2
#define VM_MAYWRITE 0x20
#define VM_PFNMAP 0x400
#define VM_IO 0x4000
#define VM_DONTEXPAND 0x40000
#define VM_DONTDUMP 0x4000000

#define PHYS_PFN(address) ((unsigned long)((address) >> 12))

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_pgoff;
	unsigned long vm_flags;
	const struct vm_operations_struct *vm_ops;
	void *vm_private_data;
};

struct vm_fault {
	struct vm_area_struct *vma;
	unsigned long pgoff;
	unsigned long address;
};

typedef unsigned int vm_fault_t;

#define VM_FAULT_NOPAGE 0x100

struct vm_operations_struct {
	vm_fault_t (*fault)(struct vm_fault *fault);
};

static inline unsigned long vma_pages(const struct vm_area_struct *vma)
{
	return (vma->vm_end - vma->vm_start) >> 12;
}

static inline vm_fault_t vmf_insert_pfn(struct vm_area_struct *vma, unsigned long address, unsigned long pfn)
{
	(void)vma;
	(void)address;
	(void)pfn;
	return VM_FAULT_NOPAGE;
}

#endif
