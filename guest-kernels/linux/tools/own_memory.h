/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/self/mem, by whatever name: it would lead a program to what its proxy has for itself. */
#ifndef OWN_MEMORY_H
#define OWN_MEMORY_H

#include <stdbool.h>

bool own_memory_is(int file);

#endif
