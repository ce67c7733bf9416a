/* SPDX-License-Identifier: Apache-2.0 */
/* A small file system that is mounted nowhere. Rights are set by themselves, because the umask is the program's. */
#define _GNU_SOURCE
#include "loose_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct loose_tree loose_tree_begin(void)
{
	int context = syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	struct loose_tree tree = { .root = -1 };

	if (context >= 0 && !syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0755", 0) &&
	    !syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		tree.root = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (tree.root < 0)
		tree.error = -errno;
	if (context >= 0)
		close(context);
	return tree;
}

void loose_tree_folder(struct loose_tree *tree, const char *path)
{
	if (!tree->error && (mkdirat(tree->root, path, 0755) || fchmodat(tree->root, path, 0755, 0)))
		tree->error = -errno;
}

void loose_tree_link(struct loose_tree *tree, const char *path, const char *target)
{
	if (!tree->error && symlinkat(target, tree->root, path))
		tree->error = -errno;
}

void loose_tree_file(struct loose_tree *tree, const char *path, const char *text, size_t length)
{
	int fd;

	if (tree->error)
		return;
	fd = openat(tree->root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0 || write(fd, text, length) != (ssize_t)length || fchmod(fd, 0444))
		tree->error = -errno;
	if (fd >= 0)
		close(fd);
}

void loose_tree_text(struct loose_tree *tree, const char *path, char *text, size_t length)
{
	if (text)
		loose_tree_file(tree, path, text, length);
	else if (!tree->error)
		tree->error = -ENOMEM;
	free(text);
}

void loose_tree_alias(struct loose_tree *tree, const char *path, const char *alias)
{
	if (!tree->error && linkat(tree->root, path, tree->root, alias, 0))
		tree->error = -errno;
}

int loose_tree_end(struct loose_tree *tree)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY };

	if (!tree->error && syscall(SYS_mount_setattr, tree->root, "", AT_EMPTY_PATH, &read_only, sizeof(read_only)))
		tree->error = -errno;
	if (tree->error && tree->root >= 0)
		close(tree->root);
	return tree->error ? tree->error : tree->root;
}
