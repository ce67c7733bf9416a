/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/task: the threads of a process on an LWK. */
#include "view_tasks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_file.h"
#include "loose_tree.h"

static void make_task(struct loose_tree *tree, const struct view_subject *subject)
{
	unsigned long long id = subject->thread[THREAD_ID];
	char *name = host_file_read("/proc/self/comm"), path[48];
	size_t length;
	char *text;

	snprintf(path, sizeof(path), "%llu", id);
	loose_tree_folder(tree, path);
	snprintf(path, sizeof(path), "%llu/comm", id);
	loose_tree_text(tree, path, name, name ? strlen(name) : 0);
	text = view_stat(subject, &length);
	snprintf(path, sizeof(path), "%llu/stat", id);
	loose_tree_text(tree, path, text, length);
	text = view_status(subject, &length);
	snprintf(path, sizeof(path), "%llu/status", id);
	loose_tree_text(tree, path, text, length);
}

int view_tasks_make(const struct facts *facts, const struct program *program)
{
	struct loose_tree tree = loose_tree_begin();

	for_each_fact(thread, facts, IKC_FACT_THREAD) {
		struct view_subject subject = { facts, program, thread, false };

		make_task(&tree, &subject);
	}
	return loose_tree_end(&tree);
}
