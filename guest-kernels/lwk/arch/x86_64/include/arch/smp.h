/* SPDX-License-Identifier: Apache-2.0 */
/* Brings CPUs to life. */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

/* On the CPU itself: its own descriptor tables, memory types and APIC. */
void smp_init_cpu(void);

/* Starts all other CPUs: they are on their way. */
void smp_start(void);

/* Waits until they are online; those that do not come are logged. */
void smp_wait(void);

#endif
