/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_CPU_H
#define NATIVE_LINUX_CPU_H

/* No CPU comes or goes; that the order of the locks is right is checked all the same. */
void cpus_read_lock(void);
void cpus_read_unlock(void);

#endif
