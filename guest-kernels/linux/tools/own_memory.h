/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mem, by whatever name: it would lead a program to what its proxy has for itself. */
#ifndef OWN_MEMORY_H
#define OWN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* True: this call has opened it, as that file, which is closed again. */
bool own_memory_opened(uint64_t number, int file);

#endif
