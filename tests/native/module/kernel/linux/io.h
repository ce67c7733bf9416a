/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_IO_H
#define NATIVE_LINUX_IO_H

#include <linux/kernel.h>

/* Of the one kind of device that there is: ivshmem's registers (pci.h). */
void writel(u32 value, void __iomem *address);
u32 readl(const void __iomem *address);

#endif
