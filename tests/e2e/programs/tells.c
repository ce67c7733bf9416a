/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that looks at what its kernel tells of itself in /proc and /sys, and compares that with what it knows: one thing,
 * named by the first argument. Status 0, or a line for what is not as it should be.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define KERNEL_ADDRESS 0xffff800000200000ul

static int faults;

#define CHECK(condition, ...)                                                                                 \
	do {                                                                                                  \
		if (!(condition)) {                                                                           \
			printf("line %d: %s: ", __LINE__, #condition);                                       \
			printf(__VA_ARGS__);                                                                  \
			printf(" (%s)\n", strerror(errno));                                                  \
			faults++;                                                                             \
		}                                                                                             \
	} while (0)

static char *read_file(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY);
	size_t length = 0;
	ssize_t got;

	CHECK(fd >= 0, "%s", path);
	while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += got;
	text[length] = '\0';
	close(fd);
	return text;
}

/* The text behind "NAME:" and spaces, or "". */
static const char *field(const char *text, const char *name)
{
	size_t length = strlen(name);
	const char *line;

	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, name, length) && line[length] == ':')
			return line + length + 1 + strspn(line + length + 1, " \t");
	return "";
}

/* ---- CPUs ---- */

static int count_lines(const char *text, const char *prefix)
{
	int count = 0;
	const char *line;

	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		count += !strncmp(line, prefix, strlen(prefix));
	return count;
}

/* What C libraries, and those who count by hand, take for the number of CPUs. */
static void tell_cpus(void)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	printf("%ld %ld %d %d %d %d\n", sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_NPROCESSORS_CONF), get_nprocs(),
	       CPU_COUNT(&set), count_lines(read_file("/proc/cpuinfo"), "processor"),
	       count_lines(read_file("/proc/stat"), "cpu") - 1);
}

/* ---- memory maps ---- */

struct line {
	unsigned long start, end, offset, inode;
	char rights[5];
	char name[256];
};

static bool line_at(const void *address, struct line *line)
{
	char *text = read_file("/proc/self/maps"), *at;

	for (at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		line->name[0] = '\0';
		if (sscanf(at, "%lx-%lx %4s %lx %*x:%*x %lu%*[ ]%255[^\n]", &line->start, &line->end, line->rights,
			   &line->offset, &line->inode, line->name) < 5)
			return false;
		if (line->start <= (unsigned long)address && (unsigned long)address < line->end)
			return true;
	}
	return false;
}

static void check_rights(char *area, size_t size, int rights, const char *text)
{
	struct line line;

	CHECK(!mprotect(area, size, rights), "mprotect");
	CHECK(line_at(area, &line) && line.start == (unsigned long)area && line.end == line.start + size &&
	      !strcmp(line.rights, text), "%lx-%lx %s, should be %p %s", line.start, line.end, line.rights, area, text);
}

static int in_data = 1;

static void check_named(const void *address, const char *rights, const char *name)
{
	struct line line = { 0 };

	CHECK(line_at(address, &line) && !strcmp(line.rights, rights) && !strcmp(line.name, name),
	      "%p: %s \"%s\", should be %s \"%s\"", address, line.rights, line.name, rights, name);
}

static void check_maps(const char *own)
{
	size_t size = 5 * 4096;
	char *around = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *area = around + size;
	char *heap = malloc(100), path[4096] = "";
	struct line line;
	struct stat status;

	check_rights(area, size, PROT_READ, "r--p");
	check_rights(area, size, PROT_READ | PROT_WRITE, "rw-p");
	check_rights(area, size, PROT_READ | PROT_EXEC, "r-xp");
	CHECK(line_at(around, &line) && !strcmp(line.rights, "---p") && line.end == (unsigned long)area, "%lx", line.end);
	munmap(around, 3 * size);
	CHECK(!line_at(area, &line), "unmapped, and there");

	CHECK(realpath(own, path) && !stat(own, &status), "%s", own);
	check_named((void *)check_maps, "r-xp", path);
	CHECK(line_at((void *)check_maps, &line) && line.inode == status.st_ino, "%lu", line.inode);
	check_named(&in_data, "rw-p", path);
	check_named(heap, "rw-p", "[heap]");
	CHECK(line_at(heap, &line) && line.end == (unsigned long)sbrk(0), "%lx %p", line.end, sbrk(0));
	check_named(&line, "rw-p", "[stack]");
}

#define MANY 3000

/* More than can be told in one go. */
static void check_many_maps(void)
{
	char *area = mmap(NULL, MANY * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *text, *at;
	int i, count = 0;

	munmap(area, MANY * 4096);
	for (i = 0; i < MANY; i++) {
		int rights = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
		char *made = mmap(area + i * 4096, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		CHECK(made == area + i * 4096, "%d: %p", i, made);
	}
	text = read_file("/proc/self/maps");
	for (at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		unsigned long start = strtoul(at, NULL, 16) - (unsigned long)area;

		count += start / 4096 < MANY && !strncmp(strchr(at, ' '), start / 4096 % 2 ? " r--p" : " rw-p", 5);
	}
	CHECK(count == MANY, "%d", count);
}

/* A library, mapped by the dynamic linker, or by hand. */
static void check_mapped_file(const char *own)
{
	int fd = open(own, O_RDONLY);
	char *mapped = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE, fd, 4096), path[4096];
	struct line line = { 0 };

	CHECK(realpath(own, path), "%s", own);
	check_named(mapped, "r--p", path);
	CHECK(line_at(mapped, &line) && line.offset == 4096, "%lx", line.offset);
	munmap(mapped + 4096, 4096);
	CHECK(line_at(mapped + 2 * 4096, &line) && line.offset == 3 * 4096, "%lx", line.offset);
	mmap(mapped + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check_named(mapped + 4096, "r--p", "");
	check_named(mapped, "r--p", path);
	munmap(mapped, 3 * 4096);
}

/* glibc reads maps for that. */
static void check_stack(void)
{
	pthread_attr_t attributes;
	char *start;
	size_t size;

	CHECK(!pthread_getattr_np(pthread_self(), &attributes), "pthread_getattr_np");
	pthread_attr_getstack(&attributes, (void **)&start, &size);
	CHECK((char *)&size > start && (char *)&size < start + size, "%p %zu, and a variable at %p", start, size, &size);
	memset(start + 4096, 0, 4096);
}

/* ---- the process ---- */

static void *wait_for_ever(void *id)
{
	if (id)
		__atomic_store_n((pid_t *)id, gettid(), __ATOMIC_RELEASE);
	pause();
	return NULL;
}

static void ignore(int number)
{
	(void)number;
}

static void check_status(void)
{
	pthread_t thread;
	sigset_t blocked;
	char *text;
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&thread, NULL, wait_for_ever, NULL);
	signal(SIGUSR1, ignore);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	text = read_file("/proc/self/status");
	CHECK(atoi(field(text, "Pid")) == getpid(), "%s", field(text, "Pid"));
	CHECK(atoi(field(text, "PPid")) == getppid(), "%s", field(text, "PPid"));
	CHECK(atoi(field(text, "Threads")) == 5, "%.8s", field(text, "Threads"));
	CHECK(strtoull(field(text, "SigBlk"), NULL, 16) == 1ull << (SIGTERM - 1), "%.20s", field(text, "SigBlk"));
	CHECK(strtoull(field(text, "SigIgn"), NULL, 16) == 1ull << (SIGUSR2 - 1), "%.20s", field(text, "SigIgn"));
	CHECK(strtoull(field(text, "SigCgt"), NULL, 16) & 1ull << (SIGUSR1 - 1), "%.20s", field(text, "SigCgt"));
	printf("%.*s %.*s\n", (int)strcspn(field(text, "Cpus_allowed_list"), "\n"), field(text, "Cpus_allowed_list"),
	       (int)strcspn(field(text, "Mems_allowed_list"), "\n"), field(text, "Mems_allowed_list"));
}

/* The state of a thread as its stat tells it, if that is of this thread; 0 else. */
static char state_of(int folder, pid_t id)
{
	char path[32], text[512] = "", state = 0;
	int fd, told = 0;

	snprintf(path, sizeof(path), "%d/stat", id);
	fd = openat(folder, path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "%s", path);
	CHECK(sscanf(text, "%d (%*[^)]) %c", &told, &state) == 2, "%s", text);
	close(fd);
	return told == id ? state : 0;
}

static void check_tasks(void)
{
	pid_t ids[5] = { [4] = getpid() };
	struct dirent *entry;
	char path[64], *text;
	pthread_t thread;
	int folder, i, count = 0;
	DIR *list;

	for (i = 0; i < 4; i++) {
		pthread_create(&thread, NULL, wait_for_ever, &ids[i]);
		while (!__atomic_load_n(&ids[i], __ATOMIC_ACQUIRE))
			sched_yield();
	}
	folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
	list = fdopendir(dup(folder));
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		for (i = 0; i < 5 && ids[i] != atoi(entry->d_name); i++)
			;
		CHECK(i < 5, "%s", entry->d_name);
		count++;
	}
	CHECK(count == 5, "%d threads", count);
	for (i = 0; i < 5; i++) {
		CHECK(state_of(folder, ids[i]), "%d", ids[i]);
		snprintf(path, sizeof(path), "/proc/self/task/%d", ids[i]);
		CHECK(!access(path, X_OK), "%s", path);
		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", getpid(), ids[i]);
		text = read_file(path);
		CHECK(atoi(field(text, "Pid")) == ids[i] && atoi(field(text, "Tgid")) == getpid(), "%s", text);
		snprintf(path, sizeof(path), "/proc/self/task/%d/comm", ids[i]);
		CHECK(!strncmp(read_file(path), "tells\n", 6), "%s", path);
	}
	CHECK(access("/proc/self/task/1", F_OK) < 0 && errno == ENOENT, "a thread of another");
}

static void check_stat(void)
{
	unsigned long size, rss, size_of_statm, rss_of_statm;
	char *text, state, name[32], path[64];
	struct rusage usage;
	long ticks = 0, threads;
	int id, parent;

	do /* half a second of work */
		getrusage(RUSAGE_SELF, &usage);
	while (usage.ru_utime.tv_sec == 0 && usage.ru_utime.tv_usec < 500000);
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	text = read_file(path);
	CHECK(sscanf(text, "%d (%31[^)]) %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %*u %*d %*d %*d %*d %ld %*d %*u %lu %lu",
		     &id, name, &state, &parent, &ticks, &threads, &size, &rss) == 8, "%s", text);
	CHECK(id == getpid() && parent == getppid() && state == 'R' && threads == 1, "%s", text);
	CHECK(!strcmp(name, program_invocation_short_name), "%s", name);
	CHECK(ticks >= 50, "%ld", ticks);
	sscanf(read_file("/proc/self/statm"), "%lu %lu", &size_of_statm, &rss_of_statm);
	CHECK(size == size_of_statm * 4096 && rss_of_statm && rss * 4096 <= size && rss > 0, "%lu %lu", size, rss);
}

static void check_given(const char *own)
{
	char text[4096], path[4096];
	unsigned long words[256] = { 0 };
	struct stat by_name, by_exe;
	ssize_t got;
	int fd, i;

	CHECK(realpath(own, path), "%s", own);
	got = readlink("/proc/self/exe", text, sizeof(text) - 1);
	CHECK(got > 0 && (text[got] = '\0', !strcmp(text, path)), "%.*s, should be %s", (int)got, text, path);
	got = readlink("/proc/self/exe", text, 5);
	CHECK(got == 5 && !memcmp(text, path, 5), "%zd", got);
	CHECK(!stat(own, &by_name) && !stat("/proc/self/exe", &by_exe) && by_name.st_ino == by_exe.st_ino, "exe");
	CHECK(!lstat("/proc/self/exe", &by_exe) && S_ISLNK(by_exe.st_mode), "exe is a link");
	fd = open("/proc/self/auxv", O_RDONLY);
	got = read(fd, words, sizeof(words) - 16);
	CHECK(got > 0, "auxv");
	for (i = 0; words[i]; i += 2)
		CHECK(getauxval(words[i]) == words[i + 1] || words[i] == AT_HWCAP, "%lu", words[i]); /* that one glibc changes */
	CHECK(i > 20, "%d words", i);
	got = strlen(read_file("/proc/self/comm"));
	CHECK(!strncmp(read_file("/proc/self/comm"), program_invocation_short_name, got - 1), "comm");
}

/* ---- memory ---- */

static long free_kib(const char *path, const char *name)
{
	return atol(field(read_file(path), name));
}

/* Both files are of the moment in which they are opened. */
static void check_memory(void)
{
	long before = free_kib("/proc/meminfo", "MemFree"), total = free_kib("/proc/meminfo", "MemTotal");
	long of_node = free_kib("/sys/devices/system/node/node0/meminfo", "Node 0 MemFree"), fell, node_fell;

	CHECK(before > 0 && before < total, "%ld of %ld", before, total);
	CHECK(sysconf(_SC_PHYS_PAGES) * 4 == total, "%ld pages of %ld KiB", sysconf(_SC_PHYS_PAGES), total);
	CHECK(labs(sysconf(_SC_AVPHYS_PAGES) * 4 - before) < 1 << 10, "%ld pages of %ld KiB", sysconf(_SC_AVPHYS_PAGES), before);
	CHECK(mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, "mmap");
	fell = before - free_kib("/proc/meminfo", "MemFree");
	node_fell = of_node - free_kib("/sys/devices/system/node/node0/meminfo", "Node 0 MemFree");
	CHECK(fell >= 32 << 10 && fell < 33 << 10, "%ld KiB", fell);
	CHECK(node_fell >= 32 << 10 && node_fell < 33 << 10, "%ld KiB", node_fell);
}

/* ---- the many ways to a file ---- */

static void check_online(int fd, const char *how)
{
	char text[64] = "", should[64];

	snprintf(should, sizeof(should), "0-%ld\n", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && !strcmp(text, should), "%s: \"%s\"", how, text);
	close(fd);
}

static void check_paths(void)
{
	struct open_how how = { .flags = O_RDONLY };
	struct dirent *entry;
	struct statx found;
	struct stat status;
	char text[4096];
	DIR *folder;
	int fd, lowest, count = 0;

	check_online(open("/sys//devices/./system/cpu/../cpu/online", O_RDONLY), "crooked");
	check_online(syscall(SYS_openat2, AT_FDCWD, "/sys/devices/system/cpu/online", &how, sizeof(how)), "openat2");
	fd = open("/", O_PATH);
	check_online(openat(fd, "sys/devices/system/cpu/online", O_RDONLY), "from the root");
	close(fd);
	fd = open("/sys/devices", O_RDONLY | O_DIRECTORY);
	check_online(openat(fd, "system/cpu/online", O_RDONLY), "from a folder of the host");
	close(fd);
	fd = open("/sys/devices/system/cpu", O_RDONLY | O_DIRECTORY);
	check_online(openat(fd, "online", O_RDONLY), "from its folder");
	check_online(openat(fd, "cpu0/../online", O_RDONLY), "down and up");
	CHECK(openat(fd, "online", O_RDWR) < 0 && errno == EACCES, "writable");
	CHECK(unlinkat(fd, "online", 0) < 0 && errno == EROFS, "removable");
	CHECK(mkdirat(fd, "new", 0755) < 0 && errno == EROFS, "mkdir");
	CHECK(!fchdir(fd), "fchdir");
	check_online(open("online", O_RDONLY), "from the current folder");
	CHECK(getcwd(text, sizeof(text)) && !strcmp(text, "/sys/devices/system/cpu"), "%s", text);
	CHECK(!chdir("../node/node0") && getcwd(text, sizeof(text)) && !strcmp(text, "/sys/devices/system/node/node0"),
	      "%s", text);
	check_online(open("cpu0/../online", O_RDONLY), "through a link");
	CHECK(!chdir("/proc/self"), "/proc/self");
	fd = open("maps", O_RDONLY);
	CHECK(read(fd, text, sizeof(text)) > 0 && strstr(text, "00400000-"), "%.80s", text);
	CHECK(write(fd, text, 1) < 0 && errno == EBADF, "written");
	CHECK(!lseek(fd, 0, SEEK_SET), "lseek");
	CHECK(!chdir("/"), "/");

	folder = fdopendir(open("/sys/devices/system/cpu", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while ((entry = readdir(folder)))
		count += !strncmp(entry->d_name, "cpu", 3) && entry->d_name[3] <= '9';
	closedir(folder);
	CHECK(count == sysconf(_SC_NPROCESSORS_CONF), "%d folders", count);
	snprintf(text, sizeof(text), "/sys/bus/cpu/devices/cpu%d/topology/core_id", count - 1);
	CHECK(!stat(text, &status) && !access(text, R_OK) && !statx(AT_FDCWD, text, 0, STATX_ALL, &found), "%s", text);
	snprintf(text, sizeof(text), "/sys/devices/system/cpu/cpu%d", count);
	CHECK(lstat(text, &status) < 0 && errno == ENOENT, "%s", text);
	CHECK(readlink("/sys/devices/system/cpu/cpu0/node0", text, sizeof(text)) == 16, "node0");
	CHECK(open("/proc/cpuinfo", O_WRONLY) < 0 && errno == EACCES, "writable");
	CHECK(open("/proc/cpuinfo", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR, "a folder");
	close(lowest = dup(0));
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY, "flags");
	CHECK(fd == lowest, "%d, should be %d", fd, lowest);
}

/* ---- pointers and texts that make no sense ---- */

static void check_bad(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *end = (char *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + page;
	char *names[] = { NULL, (char *)8, end, end - 5, (char *)KERNEL_ADDRESS, (char *)-1l, (char *)0x3ffffffffffe };
	const char full[] = "/proc/self/maps";
	struct stat status;
	char *text = malloc(8192), room[64];
	size_t i;

	munmap(end, page);
	memcpy(end - 5, "/proc", 5);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(syscall(SYS_openat, AT_FDCWD, names[i], O_RDONLY) < 0 && errno == EFAULT, "%p", names[i]);
		CHECK(syscall(SYS_newfstatat, AT_FDCWD, names[i], &status, 0) < 0 && errno == EFAULT, "%p", names[i]);
		CHECK(syscall(SYS_readlink, names[i], room, sizeof(room)) < 0 && errno == EFAULT, "%p", names[i]);
		CHECK(syscall(SYS_readlink, "/proc/self/exe", names[i], 64) < 0 && errno == EFAULT, "%p", names[i]);
		CHECK(syscall(SYS_stat, "/sys/devices/system/cpu", names[i]) < 0 && errno == EFAULT, "%p", names[i]);
		CHECK(syscall(SYS_openat2, AT_FDCWD, full, names[i], sizeof(struct open_how)) < 0 && errno == EFAULT,
		      "%p", names[i]);
	}
	memcpy(end - sizeof(full), full, sizeof(full)); /* ends where the page does */
	CHECK(open(end - sizeof(full), O_RDONLY) >= 0, "%s", end - sizeof(full));
	CHECK(readlink("/proc/self/exe", room, 0) < 0 && errno == EINVAL, "no room");
	for (i = 4090; i < 4100; i++) {
		memset(text, '/', i);
		strcpy(text + i - 20, "/sys/devices/system/");
		errno = 0;
		CHECK((open(text, O_RDONLY) >= 0) == (i < 4096) && (i < 4096 || errno == ENAMETOOLONG), "%zu", i);
	}
}

/* One thread opens a path that another one changes all the time: each time it is one of them, and whole. */
static char changing[64] = "/sys/devices/system/cpu/online";

static void *change(void *unused)
{
	for (;;) {
		memcpy(changing, "/etc/passwd\0evices/system/cpu/online", 36);
		memcpy(changing, "/proc/self/statm\0es/system/cpu/online", 36);
		memcpy(changing, "/sys/devices/system/cpu/online\0nline", 36);
	}
	return unused;
}

static void check_race(void)
{
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, change, NULL);
	for (i = 0; i < 300; i++) {
		char text[64] = "";
		int fd = open(changing, O_RDONLY);

		if (fd < 0)
			continue; /* half of each */
		CHECK(read(fd, text, sizeof(text) - 1) > 0, "nothing");
		CHECK(!strncmp(text, "root:", 5) || !strncmp(text, "0-", 2) || strtoul(text, NULL, 10) > 0, "%s", text);
		close(fd);
	}
}

/* ---- many at once ---- */

static void *read_often(void *unused)
{
	int i;

	for (i = 0; i < 20; i++) {
		char text[4096] = "";
		int fd = open(i % 2 ? "/proc/self/status" : "/sys/devices/system/node/node0/meminfo", O_RDONLY);

		CHECK(read(fd, text, sizeof(text) - 1) > 0 && strstr(text, i % 2 ? "Threads:\t" : "Node 0 MemTotal"), "%s", text);
		close(fd);
		mmap(NULL, 4096, i % 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	return unused;
}

static void check_threads(void)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, read_often, NULL);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "";

	if (!strcmp(deed, "cpus"))
		tell_cpus();
	else if (!strcmp(deed, "maps"))
		check_maps(argv[0]);
	else if (!strcmp(deed, "mapped"))
		check_mapped_file(argv[0]);
	else if (!strcmp(deed, "many"))
		check_many_maps();
	else if (!strcmp(deed, "stack"))
		check_stack();
	else if (!strcmp(deed, "status"))
		check_status();
	else if (!strcmp(deed, "stat"))
		check_stat();
	else if (!strcmp(deed, "tasks"))
		check_tasks();
	else if (!strcmp(deed, "given"))
		check_given(argv[0]);
	else if (!strcmp(deed, "memory"))
		check_memory();
	else if (!strcmp(deed, "paths"))
		check_paths();
	else if (!strcmp(deed, "bad"))
		check_bad();
	else if (!strcmp(deed, "race"))
		check_race();
	else if (!strcmp(deed, "threads"))
		check_threads();
	else
		return 2;
	fflush(stdout);
	_exit(faults != 0);
}
