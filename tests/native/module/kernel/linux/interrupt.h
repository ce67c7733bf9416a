/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_INTERRUPT_H
#define NATIVE_LINUX_INTERRUPT_H

#include <linux/kernel.h>

typedef enum { IRQ_NONE, IRQ_HANDLED } irqreturn_t;
typedef irqreturn_t (*irq_handler_t)(int irq, void *data);

struct cpumask;

int irq_set_affinity(unsigned int irq, const struct cpumask *mask);

#endif
