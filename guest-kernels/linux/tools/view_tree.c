/* SPDX-License-Identifier: Apache-2.0 */
/* /sys/devices/system/cpu and node as the LWK has them. */
#define _GNU_SOURCE
#include "view_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_text.h"
#include "loose_tree.h"
#include "view_machine.h"
#include "view_sets.h"

#define LAST_CPU 1023 /* that an LWK can have */

struct tree {
	struct loose_tree files;
	const struct facts *facts;
	unsigned int cpu_count; /* bits in a mask */
};

/* ---- files ---- */

__attribute__((format(printf, 3, 4))) static void make_line(struct tree *tree, const char *name, const char *format,
							    ...)
{
	char line[64];
	va_list words;
	int length;

	va_start(words, format);
	length = vsnprintf(line, sizeof(line), format, words);
	va_end(words);
	loose_tree_file(&tree->files, name, line, length);
}

/* NAME_list, as 0-3,8, or NAME, as the hexadecimal mask. */
static void make_set(struct tree *tree, const char *name, const struct cpu_text_set *set, bool is_list)
{
	char *text = is_list ? cpu_text_list(set) : cpu_text_mask(set, tree->cpu_count);

	loose_tree_text(&tree->files, name, text, text ? strlen(text) : 0);
}

/* ---- CPUs ---- */

enum { CPU_ID, CPU_APIC_ID, CPU_NODE, CPU_PACKAGE, CPU_CORE, CPU_THREAD, CPU_ONLINE };

static struct cpu_text_set cpus_like(const struct tree *tree, const uint64_t *like, bool core, bool package, bool node)
{
	struct cpu_text_set set = { 0 };

	for_each_fact(cpu, tree->facts, IKC_FACT_CPU)
		if (cpu[CPU_ONLINE] && (!core || cpu[CPU_CORE] == like[CPU_CORE]) &&
		    (!package || cpu[CPU_PACKAGE] == like[CPU_PACKAGE]) && (!node || cpu[CPU_NODE] == like[CPU_NODE]))
			cpu_text_add(&set, cpu[CPU_ID]);
	return set;
}

/* Both forms, under both names that the kernel has had for it. */
static void make_siblings(struct tree *tree, const char *folder, const char *name, const char *old_name,
			  const struct cpu_text_set *set)
{
	static const char *const forms[] = { "", "_list" };
	char path[128], alias[128];
	int form;

	for (form = 0; form < 2; form++) {
		snprintf(path, sizeof(path), "%s/%s%s", folder, name, forms[form]);
		snprintf(alias, sizeof(alias), "%s/%s%s", folder, old_name, forms[form]);
		make_set(tree, path, set, form);
		loose_tree_alias(&tree->files, path, alias);
	}
}

static void make_topology(struct tree *tree, const char *cpu_folder, const uint64_t *cpu)
{
	struct cpu_text_set core = cpus_like(tree, cpu, true, true, false);
	struct cpu_text_set package = cpus_like(tree, cpu, false, true, false);
	char folder[64], name[96];

	snprintf(folder, sizeof(folder), "%s/topology", cpu_folder);
	loose_tree_folder(&tree->files, folder);
	snprintf(name, sizeof(name), "%s/core_id", folder);
	make_line(tree, name, "%llu\n", (unsigned long long)cpu[CPU_CORE]);
	snprintf(name, sizeof(name), "%s/physical_package_id", folder);
	make_line(tree, name, "%llu\n", (unsigned long long)cpu[CPU_PACKAGE]);
	make_siblings(tree, folder, "core_cpus", "thread_siblings", &core);
	make_siblings(tree, folder, "package_cpus", "core_siblings", &package);
}

/* The CPU and its node know each other. */
static void link_to_node(struct tree *tree, const uint64_t *cpu)
{
	unsigned long long id = cpu[CPU_ID], node = cpu[CPU_NODE];
	char name[96], target[96];

	snprintf(name, sizeof(name), "cpu/cpu%llu/node%llu", id, node);
	snprintf(target, sizeof(target), "../../node/node%llu", node);
	loose_tree_link(&tree->files, name, target);
	snprintf(name, sizeof(name), "node/node%llu/cpu%llu", node, id);
	snprintf(target, sizeof(target), "../../cpu/cpu%llu", id);
	loose_tree_link(&tree->files, name, target);
}

static void make_cpu(struct tree *tree, const uint64_t *cpu)
{
	char folder[48], name[64];

	snprintf(folder, sizeof(folder), "cpu/cpu%llu", (unsigned long long)cpu[CPU_ID]);
	loose_tree_folder(&tree->files, folder);
	snprintf(name, sizeof(name), "%s/online", folder);
	make_line(tree, name, "%d\n", cpu[CPU_ONLINE] != 0);
	if (cpu[CPU_ONLINE])
		make_topology(tree, folder, cpu);
	link_to_node(tree, cpu);
}

static void make_cpus(struct tree *tree)
{
	for_each_fact(cpu, tree->facts, IKC_FACT_CPU)
		make_cpu(tree, cpu);
	make_line(tree, "cpu/kernel_max", "%d\n", LAST_CPU);
}

/* ---- nodes ---- */

enum { NODE_ID };

static void make_distances(struct tree *tree, const uint64_t *node)
{
	char text[8 * 64], name[64];
	size_t length = 0;

	for_each_fact(told, tree->facts, IKC_FACT_DISTANCE) {
		const uint8_t *distances = (const uint8_t *)&told[2];
		unsigned int i;

		if (told[0] != node[NODE_ID])
			continue;
		for (i = 0; i < IKC_FACT_DISTANCES && distances[i] && length < sizeof(text) - 8; i++)
			length += sprintf(text + length, "%s%u", length ? " " : "", distances[i]);
	}
	text[length++] = '\n';
	snprintf(name, sizeof(name), "node/node%llu/distance", (unsigned long long)node[NODE_ID]);
	loose_tree_file(&tree->files, name, text, length);
}

static void make_node(struct tree *tree, const uint64_t *node)
{
	const uint64_t like[] = { [CPU_NODE] = node[NODE_ID] };
	struct cpu_text_set cpus = cpus_like(tree, like, false, false, true);
	unsigned long long id = node[NODE_ID];
	char name[64], *text;
	size_t length;

	snprintf(name, sizeof(name), "node/node%llu", id);
	loose_tree_folder(&tree->files, name);
	snprintf(name, sizeof(name), "node/node%llu/cpulist", id);
	make_set(tree, name, &cpus, true);
	snprintf(name, sizeof(name), "node/node%llu/cpumap", id);
	make_set(tree, name, &cpus, false);
	make_distances(tree, node);
	text = view_node_meminfo(tree->facts, id, &length);
	snprintf(name, sizeof(name), "node/node%llu/meminfo", id);
	loose_tree_text(&tree->files, name, text, length);
}

static void make_nodes(struct tree *tree)
{
	for_each_fact(node, tree->facts, IKC_FACT_NODE)
		make_node(tree, node);
}

static void make_sets(struct tree *tree)
{
	const char *name;
	unsigned int i;

	for (i = 0; (name = view_sets_name(i)); i++) {
		size_t length;
		char *text = view_sets_text(tree->facts, name, &length);

		loose_tree_text(&tree->files, name, text, length);
	}
}

int view_tree_make(const struct facts *facts, int fd)
{
	struct tree tree = { .files = loose_tree_begin(), .facts = facts };
	int root, error = 0;

	for_each_fact(cpu, facts, IKC_FACT_CPU)
		tree.cpu_count += tree.cpu_count < CPU_TEXT_MAX;
	loose_tree_folder(&tree.files, "cpu");
	loose_tree_folder(&tree.files, "node");
	make_nodes(&tree);
	make_cpus(&tree);
	make_sets(&tree);
	root = loose_tree_end(&tree.files);
	if (root < 0)
		return root;
	if (dup3(root, fd, O_CLOEXEC) < 0)
		error = -errno;
	close(root);
	return error;
}
