/* SPDX-License-Identifier: Apache-2.0 */
/* The hardware behind lwk/timer.h: this CPU's APIC timer. */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <lwk/types.h>

void arch_timer_init(void);

/* One interrupt by IRQ_VECTOR_TIMER after `ns`, or earlier if the hardware cannot count so far. */
void arch_timer_start(uint64_t ns);

void arch_timer_stop(void);

#endif
