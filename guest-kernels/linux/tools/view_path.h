/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths lead to what an LWK tells of itself rather than to the host's files. Works on text alone, which is a program's
 * and may be anything.
 */
#ifndef VIEW_PATH_H
#define VIEW_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum view {
	VIEW_NONE, /* a file of the host */
	VIEW_TREE, /* something in /sys/devices/system that is there in the tree, below cpu or node */
	VIEW_SET, /* a list of CPUs or nodes there */
	VIEW_NODE_MEMINFO,
	VIEW_CPUINFO, /* /proc/ */
	VIEW_MEMINFO,
	VIEW_TIMES, /* /proc/stat */
	VIEW_MAPS, /* /proc/self/ */
	VIEW_STAT,
	VIEW_STATM,
	VIEW_STATUS,
	VIEW_CMDLINE,
	VIEW_ENVIRON,
	VIEW_AUXV,
	VIEW_EXE,
	VIEW_TASKS, /* something in task */
	VIEWS,
};

struct view_path {
	enum view view;
	uint64_t node; /* NODE_MEMINFO */
	char name[PATH_MAX]; /* what is in the tree, or in task: from its root on */
};

/* Where the tree is, for programs. */
#define VIEW_TREE_PLACE "/sys/devices/system"

/*
 * A path without ".", ".." and doubled slashes. `base`: the absolute path of the folder that a relative one counts from, with
 * no symbolic link in it. Links between CPUs and nodes are followed, but for a last one. False: it is too long, or cannot be
 * told from the text: it goes up from what may be another symbolic link.
 */
bool view_path_join(const char *base, const char *path, char joined[PATH_MAX]);

/* What a joined path is, for the process `id`. */
void view_path_find(const char *joined, unsigned int id, struct view_path *found);

#endif
