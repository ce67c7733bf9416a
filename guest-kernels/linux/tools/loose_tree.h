/* SPDX-License-Identifier: Apache-2.0 */
/* A small file system that is mounted nowhere: it is there as long as somebody has a file of it open, and nobody can write to it. */
#ifndef LOOSE_TREE_H
#define LOOSE_TREE_H

#include <stddef.h>

struct loose_tree {
	int root;
	int error; /* the first one, and nothing was made after it; 0: none */
};

struct loose_tree loose_tree_begin(void);

/* Paths count from the root. */
void loose_tree_folder(struct loose_tree *tree, const char *path);
void loose_tree_link(struct loose_tree *tree, const char *path, const char *target);
void loose_tree_file(struct loose_tree *tree, const char *path, const char *text, size_t length);

/* The same of a text that is freed then; NULL: there was no memory for it. */
void loose_tree_text(struct loose_tree *tree, const char *path, char *text, size_t length);

/* The same file under another name. */
void loose_tree_alias(struct loose_tree *tree, const char *path, const char *alias);

/* Its root, open; below 0: -errno, and there is none. */
int loose_tree_end(struct loose_tree *tree);

#endif
