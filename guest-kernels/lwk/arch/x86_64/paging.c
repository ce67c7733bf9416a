/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's page tables. */
#include <arch/boot.h>
#include <lwk/paging.h>

paddr_t paging_root;
