/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC, memory-mapped (xAPIC) or by MSRs (x2APIC), as the machine has it. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <lwk/types.h>

/* On CPU 0: chooses and maps. */
void apic_init(void);

/* On each CPU: enables it; LINT1 is the NMI, everything else is masked. */
void apic_init_cpu(void);

void apic_end_of_interrupt(void);

void apic_send(uint32_t apic_id, unsigned int vector);
void apic_send_nmi(uint32_t apic_id);

void apic_send_startup(uint32_t apic_id, unsigned int page);

/* To all CPUs but this one. */
void apic_broadcast_init(void);
void apic_broadcast_startup(unsigned int page);

/*
 * The timer: one interrupt by IRQ_VECTOR_TIMER, after `count` ticks of the APIC's clock or at this
 * TSC.
 */
void apic_timer_start(uint32_t count);
void apic_timer_start_deadline(uint64_t tsc);
void apic_timer_stop(void);
uint32_t apic_timer_current(void);

#endif
