/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths lead to what an LWK tells of itself. */
#include "view_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view_sets.h"

/* Behind "/proc/", and "/proc/self/". */
struct named_view {
	const char *name;
	enum view view;
};

static const struct named_view of_system[] = {
	{ "cpuinfo", VIEW_CPUINFO },
	{ "meminfo", VIEW_MEMINFO },
	{ "stat", VIEW_TIMES },
};

static const struct named_view of_process[] = {
	{ "maps", VIEW_MAPS },	     { "stat", VIEW_STAT },	  { "statm", VIEW_STATM }, { "status", VIEW_STATUS },
	{ "cmdline", VIEW_CMDLINE }, { "environ", VIEW_ENVIRON }, { "auxv", VIEW_AUXV },   { "exe", VIEW_EXE },
};

/* Where else the kernel shows folders of /sys/devices/system. */
static const struct {
	const char *place;
	const char *name;
} tree_places[] = {
	{ VIEW_TREE_PLACE "/cpu", "cpu" },
	{ VIEW_TREE_PLACE "/node", "node" },
	{ "/sys/bus/cpu/devices", "cpu" },
	{ "/sys/bus/node/devices", "node" },
};

/* What is behind a prefix of whole names: "" or "/..."; NULL: it is none. */
static const char *behind(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(path, prefix, length) || (path[length] && path[length] != '/'))
		return NULL;
	return path + length;
}

/* Of a path that goes on: can its last name be taken away to go up? Deep in /proc are links to anywhere. */
static bool goes_up_by_name(const char *path)
{
	const char *in_proc = behind(path, "/proc");

	if (in_proc)
		return !*in_proc || !strchr(in_proc + 1, '/');
	return behind(path, "/sys");
}

/* Behind one of the places of the tree "/cpu0/node1" leads to "node/node1", and the like. */
static void follow_link(char joined[PATH_MAX], size_t *length)
{
	static const struct {
		const char *place;
		const char *target;
		int above; /* names between */
	} links[] = {
		{ VIEW_TREE_PLACE "/cpu/cpu", "node", 1 },
		{ VIEW_TREE_PLACE "/node/node", "cpu", 1 },
		{ "/sys/bus/cpu/devices/cpu", "cpu", 0 },
		{ "/sys/bus/node/devices/node", "node", 0 },
	};
	const char *name;
	char target[64];
	size_t i, size;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		size = strlen(links[i].place);
		if (strncmp(joined, links[i].place, size))
			continue;
		name = links[i].above ? strchr(joined + size, '/') : strrchr(joined, '/');
		if (!name || strchr(name + 1, '/') || strlen(name) > 16 ||
		    strncmp(name + 1, links[i].target, strlen(links[i].target)))
			continue;
		*length = snprintf(target, sizeof(target), VIEW_TREE_PLACE "/%s%s", links[i].target, name);
		strcpy(joined, target);
		return;
	}
}

/* "" stands for the root while names are added. */
static bool add_name(char joined[PATH_MAX], size_t *length, const char *name, size_t size)
{
	if (*length + 1 + size >= PATH_MAX)
		return false;
	joined[*length] = '/';
	memcpy(joined + *length + 1, name, size);
	*length += 1 + size;
	joined[*length] = '\0';
	return true;
}

static void drop_name(char *joined, size_t *length)
{
	while (*length && joined[--*length] != '/')
		;
	joined[*length] = '\0';
}

/* Adds the names of a path. `sure`: up to this length there is no symbolic link. */
static bool add_path(char joined[PATH_MAX], size_t *length, const char *path, size_t sure)
{
	while (*path) {
		size_t size = strcspn(path, "/");

		follow_link(joined, length);
		if (size == 2 && !memcmp(path, "..", 2)) {
			if (*length > sure && !goes_up_by_name(joined))
				return false;
			drop_name(joined, length);
		} else if (size && !(size == 1 && *path == '.') && !add_name(joined, length, path, size)) {
			return false;
		}
		path += size + (path[size] == '/');
	}
	return true;
}

bool view_path_join(const char *base, const char *path, char joined[PATH_MAX])
{
	size_t length = 0;

	joined[0] = '\0';
	if (*path != '/' && !add_path(joined, &length, base, SIZE_MAX))
		return false;
	if (!add_path(joined, &length, path, length))
		return false;
	if (*path && path[strlen(path) - 1] == '/')
		follow_link(joined, &length);
	return true;
}

static enum view view_named(const struct named_view *views, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(views[i].name, name))
			return views[i].view;
	return VIEW_NONE;
}

/* "/proc/self", or by its number. */
static const char *behind_process(const char *path, unsigned int id)
{
	static const char *const names[] = { "/proc/self", "/proc/thread-self" };
	char by_id[32];
	const char *rest;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		rest = behind(path, names[i]);
		if (rest)
			return rest;
	}
	snprintf(by_id, sizeof(by_id), "/proc/%u", id);
	return behind(path, by_id);
}

static bool is_node_meminfo(const char *name, uint64_t *node)
{
	char *end;

	if (strncmp(name, "node/node", 9) || name[9] < '0' || name[9] > '9')
		return false;
	*node = strtoull(name + 9, &end, 10);
	return !strcmp(end, "/meminfo");
}

static bool is_set(const char *name)
{
	const char *set;
	unsigned int i;

	for (i = 0; (set = view_sets_name(i)); i++)
		if (!strcmp(name, set))
			return true;
	return false;
}

static void find_in_tree(const char *joined, struct view_path *found)
{
	size_t i;

	for (i = 0; i < sizeof(tree_places) / sizeof(tree_places[0]); i++) {
		const char *rest = behind(joined, tree_places[i].place);

		if (!rest)
			continue;
		found->view = VIEW_TREE;
		/* shorter than the path that it is of: each place is longer than its name */
		snprintf(found->name, sizeof(found->name), "%s%s", tree_places[i].name, rest);
		if (is_node_meminfo(found->name, &found->node))
			found->view = VIEW_NODE_MEMINFO;
		else if (is_set(found->name))
			found->view = VIEW_SET;
		return;
	}
}

void view_path_find(const char *joined, unsigned int id, struct view_path *found)
{
	const char *rest;

	found->view = VIEW_NONE;
	found->name[0] = '\0';
	if (behind(joined, "/sys")) {
		find_in_tree(joined, found);
		return;
	}
	rest = behind_process(joined, id);
	if (rest && behind(rest, "/task")) {
		found->view = VIEW_TASKS;
		snprintf(found->name, sizeof(found->name), ".%s", behind(rest, "/task"));
		return;
	}
	if (rest && *rest) {
		found->view = view_named(of_process, sizeof(of_process) / sizeof(of_process[0]), rest + 1);
		return;
	}
	rest = behind(joined, "/proc");
	if (rest && *rest)
		found->view = view_named(of_system, sizeof(of_system) / sizeof(of_system[0]), rest + 1);
}
