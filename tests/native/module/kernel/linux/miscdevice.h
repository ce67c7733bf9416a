/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_MISCDEVICE_H
#define NATIVE_LINUX_MISCDEVICE_H

#include <linux/atomic.h>
#include <linux/fs.h>

#define MISC_DYNAMIC_MINOR 255

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	struct device *parent;
	unsigned short mode;
};

static inline int misc_register(struct miscdevice *misc)
{
	(void)misc;
	return 0;
}

static inline void misc_deregister(struct miscdevice *misc)
{
	(void)misc;
}

#endif
