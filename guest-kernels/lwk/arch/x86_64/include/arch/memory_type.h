/* SPDX-License-Identifier: Apache-2.0 */
/* Which memory is cached how. */
#ifndef ARCH_MEMORY_TYPE_H
#define ARCH_MEMORY_TYPE_H

/* On each CPU, before it touches anything that map_physical() maps. */
void memory_type_init(void);

#endif
