/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's end of inter-kernel communication. */
#ifndef LWK_IKC_H
#define LWK_IKC_H

/*
 * Finds the IKC region and the doorbell, attaches log and panic hook, publishes the topology and says READY.
 * Called on CPU 0 with all CPUs online and interrupts on. Without an ivshmem device it logs that and returns.
 */
void ikc_init(void);

#endif
