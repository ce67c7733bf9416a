// SPDX-License-Identifier: Apache-2.0
/* The kernel's file systems, where every program expects them. */
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init.h"

struct filesystem {
	const char *type;
	const char *where;
	const char *options;
	unsigned long flags;
};

/* Parents first. The folders that are not made by the kernel are in the image. */
static const struct filesystem filesystems[] = {
	{ "proc", "/proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "sysfs", "/sys", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
	{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID },
	{ "devpts", "/dev/pts", "mode=0620,ptmxmode=0666", MS_NOSUID | MS_NOEXEC },
	{ "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV },
	{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV },
	{ "debugfs", "/sys/kernel/debug", "mode=0700", MS_NOSUID | MS_NODEV | MS_NOEXEC },
};

void filesystems_mount(void)
{
	for (size_t i = 0; i < sizeof(filesystems) / sizeof(filesystems[0]); i++) {
		const struct filesystem *fs = &filesystems[i];

		if (mkdir(fs->where, 0755) && errno != EEXIST)
			report_errno("cannot make the folder %s", fs->where);
		if (mount(fs->type, fs->where, fs->type, fs->flags, fs->options))
			report_errno("cannot mount %s on %s", fs->type, fs->where);
	}
}
