/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt vectors and their handlers. A vector means the same on every CPU. */
#ifndef LWK_IRQ_H
#define LWK_IRQ_H

#include <lwk/types.h>

#define IRQ_VECTORS 256
#define IRQ_VECTOR_FIRST 0x30
#define IRQ_VECTOR_TIMER 0xf0
#define IRQ_VECTOR_XCALL 0xf1
#define IRQ_VECTOR_SPURIOUS 0xff

/*
 * Runs with interrupts off, on the CPU that the interrupt was sent to; the end-of-interrupt is not
 * its business.
 */
typedef void (*irq_handler)(void *arg);

/* Gives the handler a free vector. Returns the vector, or -ENOSPC. */
int irq_allocate(irq_handler handler, void *arg);

/*
 * Gives the handler this vector (IRQ_VECTOR_FIRST and up). Returns 0, -EINVAL, or -EBUSY if it is
 * taken.
 */
int irq_register(unsigned int vector, irq_handler handler, void *arg);

void irq_unregister(unsigned int vector);

/* How many interrupts came by this vector, all CPUs together; wraps at 32 bits on each. */
uint64_t irq_count(unsigned int vector);

/* From the trap entry. */
void irq_dispatch(unsigned int vector);

#endif
