/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about paths that lead to what an LWK tells of itself. */
#define _GNU_SOURCE
#include "views.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "facts.h"
#include "file_areas.h"
#include "hot.h"
#include "program_memory.h"
#include "view_machine.h"
#include "view_maps.h"
#include "view_path.h"
#include "view_process.h"
#include "view_sets.h"
#include "view_tasks.h"
#include "view_tree.h"

static const struct program *program;
static void (*before_waiting)(void);
static int tree_fd; /* where the tree is, or will be */

static pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER;
static bool tree_made; /* under it until it is true */
static dev_t tree_device; /* before that */

void views_begin(const struct proxy *proxy, const struct program *begun, void (*before)(void))
{
	program = begun;
	before_waiting = before;
	tree_fd = proxy->first_own_fd + PROXY_TREE_FD;
}

/* ---- calls that take a path ---- */

enum deed { NONE, LOOK, OPEN, READ_LINK, ENTER };

#define NO_FOLDER (-1)

struct path_call {
	enum deed deed;
	int8_t folder; /* which argument; the next one is the path */
	int8_t flags; /* which argument has O_ or AT_ flags; NO_FLAGS */
	uint16_t at; /* the call that does the same below a folder */
	uint16_t fixed; /* flags that the call has by its nature */
};

#define NO_FLAGS (-1)

static const struct path_call path_calls[] = {
	[SYS_open] = { OPEN, NO_FOLDER, 1, SYS_openat, 0 },
	[SYS_openat] = { OPEN, 0, 2, SYS_openat, 0 },
	[SYS_openat2] = { OPEN, 0, NO_FLAGS, SYS_openat, 0 },
	[SYS_stat] = { LOOK, NO_FOLDER, NO_FLAGS, SYS_newfstatat, 0 },
	[SYS_lstat] = { LOOK, NO_FOLDER, NO_FLAGS, SYS_newfstatat, AT_SYMLINK_NOFOLLOW },
	[SYS_newfstatat] = { LOOK, 0, 3, SYS_newfstatat, 0 },
	[SYS_statx] = { LOOK, 0, 2, SYS_statx, 0 },
	[SYS_access] = { LOOK, NO_FOLDER, NO_FLAGS, SYS_faccessat, 0 },
	[SYS_faccessat] = { LOOK, 0, NO_FLAGS, SYS_faccessat, 0 },
	[SYS_faccessat2] = { LOOK, 0, 3, SYS_faccessat2, 0 },
	[SYS_readlink] = { READ_LINK, NO_FOLDER, NO_FLAGS, SYS_readlinkat, 0 },
	[SYS_readlinkat] = { READ_LINK, 0, NO_FLAGS, SYS_readlinkat, 0 },
	[SYS_chdir] = { ENTER, NO_FOLDER, NO_FLAGS, 0, 0 },
};

/* NULL: it takes none. */
HOT static const struct path_call *find_call(uint64_t number)
{
	if (number >= sizeof(path_calls) / sizeof(path_calls[0]) || path_calls[number].deed == NONE)
		return NULL;
	return &path_calls[number];
}

static bool is_call(const struct path_call *rule, uint64_t number)
{
	return rule == &path_calls[number];
}

/* ---- which file is meant ---- */

static bool is_in_tree(int folder)
{
	struct stat status;

	if (!__atomic_load_n(&tree_made, __ATOMIC_ACQUIRE))
		return false;
	before_waiting();
	return !fstatat(folder, "", &status, AT_EMPTY_PATH) && status.st_dev == tree_device;
}

/* The absolute path of an open folder or the current one, as a program knows it. */
static bool name_folder(int folder, char path[PATH_MAX])
{
	char link[32] = "/proc/self/cwd";
	size_t prefix = 0;
	ssize_t length;

	if (folder != AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
	if (is_in_tree(folder)) {
		strcpy(path, VIEW_TREE_PLACE);
		prefix = strlen(path);
	}
	length = readlink(link, path + prefix, PATH_MAX - 1 - prefix);
	if (length < 0)
		return false;
	path[prefix + length] = '\0';
	return path[prefix] == '/';
}

static bool find_file(const struct path_call *rule, const uint64_t *words, struct view_path *found)
{
	char path[PATH_MAX], base[PATH_MAX] = "", joined[PATH_MAX];
	int folder = rule->folder == NO_FOLDER ? AT_FDCWD : (int)words[rule->folder];

	if (!program_memory_text(words[rule->folder + 1], path) || !*path)
		return false;
	if (*path != '/' && !name_folder(folder, base))
		return false;
	if (!view_path_join(base, path, joined))
		return false;
	view_path_find(joined, getpid(), found);
	return found->view != VIEW_NONE;
}

/* False: they cannot be read, or say how to look for the file, which is for the kernel. */
static bool find_flags(const struct path_call *rule, const uint64_t *words, uint64_t *flags)
{
	struct open_how how;

	*flags = rule->fixed;
	if (is_call(rule, SYS_openat2)) {
		if (!program_memory_read(words[2], &how, sizeof(how)) || how.resolve)
			return false;
		*flags = how.flags;
	} else if (rule->flags != NO_FLAGS) {
		*flags |= words[rule->flags];
	}
	return true;
}

/* ---- text, made when it is opened ---- */

static const uint64_t facts_of_view[VIEWS] = {
	[VIEW_TREE] = VIEW_TREE_FACTS,
	[VIEW_SET] = VIEW_SETS_FACTS,
	[VIEW_NODE_MEMINFO] = VIEW_MEMINFO_FACTS,
	[VIEW_CPUINFO] = VIEW_CPUINFO_FACTS,
	[VIEW_MEMINFO] = VIEW_MEMINFO_FACTS,
	[VIEW_TIMES] = VIEW_TIMES_FACTS,
	[VIEW_MAPS] = VIEW_MAPS_FACTS,
	[VIEW_STAT] = VIEW_STAT_FACTS,
	[VIEW_STATM] = VIEW_STATM_FACTS,
	[VIEW_STATUS] = VIEW_STATUS_FACTS,
	[VIEW_TASKS] = VIEW_TASKS_FACTS,
};

static char *make_text(const struct view_path *file, const struct facts *facts, size_t *length)
{
	struct view_subject subject = { facts, program, view_thread(facts, getpid()), true };

	switch (file->view) {
	case VIEW_SET:
		return view_sets_text(facts, file->name, length);
	case VIEW_NODE_MEMINFO:
		return view_node_meminfo(facts, file->node, length);
	case VIEW_CPUINFO:
		return view_cpuinfo(facts, length);
	case VIEW_MEMINFO:
		return view_meminfo(facts, length);
	case VIEW_TIMES:
		return view_times(facts, length);
	case VIEW_MAPS:
		return view_maps(facts, length);
	case VIEW_STAT:
		return view_stat(&subject, length);
	case VIEW_STATM:
		return view_statm(facts, length);
	case VIEW_STATUS:
		return view_status(&subject, length);
	case VIEW_CMDLINE:
		return view_text_of(&program->place.arguments, length);
	case VIEW_ENVIRON:
		return view_text_of(&program->place.environment, length);
	case VIEW_AUXV:
		return view_auxv(program, length);
	default:
		return NULL;
	}
}

/* The same number, but to be read alone. */
static int open_to_read(int fd, int flags)
{
	char link[32];
	int opened, result;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	opened = open(link, O_RDONLY | O_CLOEXEC);
	if (opened < 0)
		return -errno;
	result = dup3(opened, fd, flags & O_CLOEXEC) < 0 ? -errno : fd;
	close(opened);
	return result;
}

static long open_text(const struct view_path *file, const struct facts *facts, int flags)
{
	size_t length;
	char *text;
	long result;
	int fd;

	errno = ENOMEM;
	text = make_text(file, facts, &length);
	fd = text ? memfd_create("lwk", MFD_CLOEXEC) : -1;
	result = -errno;
	if (fd >= 0 && write(fd, text, length) == (ssize_t)length)
		result = open_to_read(fd, flags);
	else if (fd >= 0)
		result = -ENOMEM;
	if (fd >= 0 && result < 0)
		close(fd);
	free(text);
	return result;
}

/* ---- files that are elsewhere ---- */

static long result_of(long returned)
{
	return returned < 0 ? -errno : returned;
}

static long enter(int folder, const char *name)
{
	int fd = openat(folder, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long result = result_of(fd < 0 ? fd : fchdir(fd));

	if (fd >= 0)
		close(fd);
	return result;
}

/* The same call on another file: what stands behind its path stays. */
static long make_elsewhere(const struct path_call *rule, const uint64_t *words, uint64_t flags, int folder,
			   const char *name)
{
	const uint64_t *behind = words + rule->folder + 2;

	before_waiting();
	if (rule->deed == ENTER)
		return enter(folder, name);
	if (rule->deed == OPEN)
		return result_of(openat(folder, name, flags, 0));
	if (is_call(rule, SYS_stat) || is_call(rule, SYS_lstat))
		return result_of(syscall(rule->at, folder, name, behind[0], flags));
	return result_of(syscall(rule->at, folder, name, behind[0], behind[1], behind[2]));
}

static bool make_tree(const struct facts *facts, long *error)
{
	struct stat status;

	pthread_mutex_lock(&tree_lock);
	*error = tree_made ? 0 : view_tree_make(facts, tree_fd);
	if (!*error && !tree_made && !fstat(tree_fd, &status)) {
		tree_device = status.st_dev;
		__atomic_store_n(&tree_made, true, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&tree_lock);
	return !*error;
}

static long call_on_exe(const struct path_call *rule, const uint64_t *words, uint64_t flags)
{
	const char *path = program->main.path;
	size_t length = strlen(path);

	if (!length)
		return VIEWS_NOT_OURS;
	if (rule->deed == READ_LINK) {
		uint64_t room = (uint32_t)words[rule->folder + 3];

		length = length < room ? length : room;
		if (!length || room > INT32_MAX)
			return -EINVAL;
		return program_memory_write(words[rule->folder + 2], path, length) ? (long)length : -EFAULT;
	}
	if (flags & (rule->deed == OPEN ? O_NOFOLLOW : AT_SYMLINK_NOFOLLOW))
		return VIEWS_NOT_OURS;
	return make_elsewhere(rule, words, flags, AT_FDCWD, path);
}

static long call_on_tasks(const struct path_call *rule, const uint64_t *words, uint64_t flags, const char *name,
			  const struct facts *facts)
{
	int root = view_tasks_make(facts, program);
	long result;

	if (root < 0)
		return root;
	result = make_elsewhere(rule, words, flags, root, name);
	close(root);
	return result;
}

/* ---- the call ---- */

static bool is_to_write(uint64_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
}

static bool is_to_be_read(const struct path_call *rule, const struct view_path *file, uint64_t flags)
{
	return rule->deed == OPEN && !(flags & O_PATH) && file->view != VIEW_TREE && file->view != VIEW_EXE &&
	       file->view != VIEW_TASKS;
}

/* What the host has in that place is another thing. */
static bool is_of_process_alone(const struct view_path *file)
{
	return file->view == VIEW_EXE || file->view == VIEW_TASKS;
}

static bool is_in_sys(const struct view_path *file)
{
	return file->view == VIEW_TREE || file->view == VIEW_SET || file->view == VIEW_NODE_MEMINFO;
}

static long call_on_file(const struct path_call *rule, const uint64_t *words, uint64_t flags,
			 const struct view_path *file, const struct facts *facts)
{
	long error;

	if (rule->deed == OPEN && !(flags & O_PATH) && is_to_write(flags))
		return -EACCES;
	if (is_to_be_read(rule, file, flags))
		return flags & O_DIRECTORY ? -ENOTDIR : open_text(file, facts, flags);
	if (file->view == VIEW_EXE)
		return call_on_exe(rule, words, flags);
	if (file->view == VIEW_TASKS)
		return call_on_tasks(rule, words, flags, file->name, facts);
	if (!make_tree(facts, &error))
		return error;
	return make_elsewhere(rule, words, flags, tree_fd, file->name);
}

/* What has to be known before; 0: nothing. */
static uint64_t facts_for(const struct path_call *rule, uint64_t flags, const struct view_path *file)
{
	if (is_to_be_read(rule, file, flags) || file->view == VIEW_TASKS)
		return facts_of_view[file->view];
	return is_in_sys(file) && !__atomic_load_n(&tree_made, __ATOMIC_ACQUIRE) ? VIEW_TREE_FACTS : 0;
}

/* The kernel says that the current folder is not to be reached from the root. */
static long get_cwd(const uint64_t *words)
{
	char path[PATH_MAX];
	size_t size;

	if (!is_in_tree(AT_FDCWD) || !name_folder(AT_FDCWD, path))
		return VIEWS_NOT_OURS;
	size = strlen(path) + 1;
	if (size > words[1])
		return -ERANGE;
	return program_memory_write(words[0], path, size) ? (long)size : -EFAULT;
}

/* A mapping that is read in several parts is told of whole by the first. */
static bool is_whole_page(uint64_t address)
{
	return !(address & 4095);
}

static long call_on_path(const struct path_call *rule, const uint64_t *words, const struct facts *told, uint64_t *facts)
{
	struct view_path file;
	uint64_t flags;

	if (!find_flags(rule, words, &flags) || !find_file(rule, words, &file))
		return VIEWS_NOT_OURS;
	*facts = facts_for(rule, flags, &file);
	if (told && told->count == FACTS_MAX)
		return -ENOMEM;
	if (!facts_have(told, *facts)) /* also if another thread has changed the path since */
		return VIEWS_TELL_FIRST;
	/* a file of /proc is there on the host too, and looks the same until it is read */
	if (!is_in_sys(&file) && !is_of_process_alone(&file) && !is_to_be_read(rule, &file, flags))
		return VIEWS_NOT_OURS;
	return call_on_file(rule, words, flags, &file, told);
}

HOT long views_call(const struct ikc_process_message *call, uint64_t *facts)
{
	const struct path_call *rule = find_call(call->number);
	struct facts *told;
	long result;

	if (call->flags & IKC_PROCESS_MAPS && is_whole_page(call->words[1])) {
		before_waiting();
		file_areas_add_open(call->words[1], call->words[2], call->words[0], call->words[3]);
	}
	if (call->number == SYS_getcwd)
		return get_cwd(call->words);
	if (!rule)
		return VIEWS_NOT_OURS;
	told = call->flags & IKC_PROCESS_TOLD ? facts_take(call->slot, call->words[6]) : NULL;
	result = call_on_path(rule, call->words, told, facts);
	free(told);
	return result;
}
