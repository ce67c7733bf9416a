/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_JIFFIES_H
#define NATIVE_LINUX_JIFFIES_H

#include <linux/kernel.h>

#define HZ 250

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return ((u64)ms * HZ + 999) / 1000;
}

#endif
