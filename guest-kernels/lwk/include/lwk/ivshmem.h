/* SPDX-License-Identifier: Apache-2.0 */
/* The ivshmem-doorbell device: memory that all peers share, and interrupts between them. */
#ifndef LWK_IVSHMEM_H
#define LWK_IVSHMEM_H

#include <ikc/ikc_layout.h>
#include <lwk/irq.h>
#include <lwk/types.h>

struct ivshmem {
	void *memory; /* NULL: there is no such device. Mapped write-back */
	uint64_t size;
	uint32_t id; /* this partition's */
	unsigned int irqs[IKC_VECTORS]; /* the interrupt vector of each doorbell vector */
};

extern struct ivshmem ivshmem;

/*
 * Finds and maps the device; no doorbell rings yet. 0, -ENODEV (there is none), -ENOSPC, -ENOMEM.
 */
int ivshmem_init(void);

struct ivshmem_vector {
	irq_handler handler;
	void *arg;
	unsigned int cpu_id;
};

/*
 * From now on doorbell vector i runs its handler on its CPU; what was rung before is lost. 0 or
 * negative errno.
 */
int ivshmem_listen(const struct ivshmem_vector vectors[IKC_VECTORS]);

/* Any context. A peer that is not there hears nothing. */
void ivshmem_ring(uint32_t peer, uint32_t vector);

#endif
