/* SPDX-License-Identifier: Apache-2.0 */
/* The list of CPUs, and what one does when it has nothing to do. */
#include <lwk/cpu.h>

/* CPU 0 needs its own before there is an allocator. */
struct cpu boot_cpu = { .self = &boot_cpu };

struct cpu *cpus[MAX_CPUS] = { &boot_cpu };
unsigned int cpu_count = 1;
