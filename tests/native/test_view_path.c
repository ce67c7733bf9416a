/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths lead to what an LWK tells of itself; texts of any kind, and facts of any kind. */
#include "../../guest-kernels/linux/tools/cpu_text.c"
#include "../../guest-kernels/linux/tools/facts.c"
#include "../../guest-kernels/linux/tools/view_path.c"
#include "../../guest-kernels/linux/tools/view_sets.c"

#include "check.h"

#define ID 1234

static char joined[PATH_MAX];
static struct view_path found;

static enum view view_at(const char *base, const char *path)
{
	found.view = VIEW_NONE;
	if (view_path_join(base, path, joined))
		view_path_find(joined, ID, &found);
	return found.view;
}

static void check_joined(const char *base, const char *path, const char *should)
{
	CHECK(view_path_join(base, path, joined));
	CHECK(!strcmp(joined, should));
}

static void test_path_is_joined_without_crooked_names(void)
{
	check_joined("/a/b", "c", "/a/b/c");
	check_joined("/a/b", "../c", "/a/c"); /* the base has no links */
	check_joined("/a/b", "../../../c", "/c");
	check_joined("/", "c/./d//e/", "/c/d/e");
	check_joined("/nowhere", "/proc/../sys/../proc/self/./maps", "/proc/self/maps");
	check_joined("/", "", "");
	CHECK(!view_path_join("/", "/a/../proc/cpuinfo", joined)); /* "a" may be a link */
	CHECK(!view_path_join("/a", "b/../c", joined));
	CHECK(!view_path_join("/", "/proc/self/cwd/../maps", joined));
	CHECK(!view_path_join("/", "/proc/self/fd/3/../maps", joined));
}

static void test_links_between_cpus_and_nodes_are_followed_unless_last(void)
{
	check_joined("/", "/sys/devices/system/node/node1/cpu5/../online", "/sys/devices/system/cpu/online");
	check_joined("/", "/sys/devices/system/cpu/cpu5/node1/meminfo", "/sys/devices/system/node/node1/meminfo");
	check_joined("/", "/sys/bus/cpu/devices/cpu5/topology", "/sys/devices/system/cpu/cpu5/topology");
	check_joined("/", "/sys/devices/system/cpu/cpu5/node1", "/sys/devices/system/cpu/cpu5/node1");
	check_joined("/", "/sys/devices/system/cpu/cpu5/node1/", "/sys/devices/system/node/node1");
}

static void test_views_are_known_by_their_paths(void)
{
	CHECK_EQ(view_at("/", "/proc/cpuinfo"), VIEW_CPUINFO);
	CHECK_EQ(view_at("/proc", "stat"), VIEW_TIMES);
	CHECK_EQ(view_at("/proc/1234", "stat"), VIEW_STAT);
	CHECK_EQ(view_at("/", "proc/thread-self/maps"), VIEW_MAPS);
	CHECK_EQ(view_at("/", "/proc/self/exe"), VIEW_EXE);
	CHECK_EQ(view_at("/proc/self", "task"), VIEW_TASKS);
	CHECK(!strcmp(found.name, "."));
	CHECK_EQ(view_at("/proc/self", "task/77/stat"), VIEW_TASKS);
	CHECK(!strcmp(found.name, "./77/stat"));
	CHECK_EQ(view_at("/", "/sys/devices/system/cpu"), VIEW_TREE);
	CHECK(!strcmp(found.name, "cpu"));
	CHECK_EQ(view_at("/", "/sys/bus/node/devices/node0/cpulist"), VIEW_TREE);
	CHECK(!strcmp(found.name, "node/node0/cpulist"));
	CHECK_EQ(view_at("/", "/sys/devices/system/node/node17/meminfo"), VIEW_NODE_MEMINFO);
	CHECK_EQ(found.node, 17);
	CHECK_EQ(view_at("/sys/devices/system/cpu/cpu0", "../online"), VIEW_SET);
	CHECK_EQ(view_at("/", "/sys/bus/node/devices/has_cpu"), VIEW_SET);
	CHECK_EQ(view_at("/", "/sys/devices/system/cpu/kernel_max"), VIEW_TREE);
}

static void test_other_paths_are_the_hosts(void)
{
	static const char *const paths[] = {
		"", "/", "/proc", "/proc/", "/proc/self", "/proc/self/", "/proc/selfmaps", "/proc/12345/maps", "/proc/123/maps",
		"/proc/1234", "/proc/self/mapsx", "/proc/self/maps/x", "/proc/self/fd/3", "/proc/1/maps", "/proc/cpuinfox",
		"/sys", "/sys/devices", "/sys/devices/system", "/sys/devices/system/cpux", "/sys/devices/system/memory",
		"/sys/bus/cpu", "/sys/devices/system/cpu/..", "/a/proc/cpuinfo", "/proc/cpuinfo/..",
	};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		CHECK_EQ(view_at("/", paths[i]), VIEW_NONE);
}

/* Whatever a program names, nothing but its end is written to. */
static void test_texts_of_any_length_and_kind(void)
{
	static const char *const names[] = { "..", ".", "", "sys", "devices", "system", "cpu", "cpu0", "node", "node0",
					     "meminfo", "proc", "self", "bus", "maps", "stat", "1234", "x" };
	char *path = malloc(2 * PATH_MAX), *base = malloc(PATH_MAX);
	unsigned int seed = 1, round, i;

	for (i = PATH_MAX - 8; i < PATH_MAX + 8; i++) {
		memset(path, 'a', i);
		path[0] = '/';
		path[i] = '\0';
		CHECK_EQ(view_path_join("/", path, joined), i < PATH_MAX);
		memcpy(path, "/sys/bus/cpu/devices/cpu", 24);
		view_at("/", path);
	}
	for (round = 0; round < 20000; round++) {
		size_t length = 0, most = round % 100 ? 100 : 2 * PATH_MAX - 16;

		path[0] = '\0';
		while (length < most) {
			seed = seed * 1103515245 + 12345;
			length += sprintf(path + length, "%s%s", length || seed & 1 << 20 ? "/" : "",
					  names[(seed >> 16) % (sizeof(names) / sizeof(names[0]))]);
		}
		snprintf(base, PATH_MAX, "/%s", path);
		view_at(base, path);
		CHECK(memchr(joined, '\0', PATH_MAX) != NULL);
		CHECK(found.view == VIEW_NONE || memchr(found.name, '\0', PATH_MAX));
	}
	free(path);
	free(base);
}

static void check_text(char *text, const char *should)
{
	CHECK(text && !strcmp(text, should));
	free(text);
}

static void test_sets_are_written_as_linux_writes_them(void)
{
	struct cpu_text_set set = { 0 };

	check_text(cpu_text_list(&set), "\n");
	check_text(cpu_text_mask(&set, 3), "0\n");
	cpu_text_add(&set, 0);
	cpu_text_add(&set, 1);
	cpu_text_add(&set, 33);
	cpu_text_add(&set, CPU_TEXT_MAX - 1);
	cpu_text_add(&set, CPU_TEXT_MAX);
	cpu_text_add(&set, UINT64_MAX);
	check_text(cpu_text_list(&set), "0-1,33,4095\n");
	check_text(cpu_text_mask(&set, 34), "2,00000003\n");
	check_text(cpu_text_mask(&set, 64), "00000002,00000003\n");
}

static void test_facts_are_kept_for_each_slot_until_they_are_taken(void)
{
	struct ikc_process_message fact = { .kind = IKC_PROCESS_FACT };
	struct facts *facts;
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 100; i++) {
		fact.slot = i % 2 ? IKC_PROCESS_THREADS - 1 : 0;
		fact.life = 49 - i / 2; /* the last one comes first */
		fact.number = i % 4 < 2 ? IKC_FACT_CPU : 999;
		fact.words[0] = i;
		CHECK(facts_add(&fact));
	}
	fact.slot = IKC_PROCESS_THREADS;
	CHECK(!facts_add(&fact));
	CHECK(!facts_take(IKC_PROCESS_THREADS, 0));
	CHECK(!facts_take(1, 0));
	facts = facts_take(0, 50);
	CHECK_EQ(facts->count, 50);
	for_each_fact(words, facts, IKC_FACT_CPU) {
		CHECK_EQ(words[0], 96 - 4 * sum);
		sum++;
	}
	CHECK_EQ(sum, 25);
	CHECK(!facts_next(facts, IKC_FACT_NODE, NULL));
	CHECK(facts_have(facts, 1 << IKC_FACT_CPU));
	CHECK(!facts_have(facts, 1 << IKC_FACT_CPU | 1 << IKC_FACT_NODE));
	CHECK(facts_have(NULL, 0));
	CHECK(!facts_have(NULL, 1 << IKC_FACT_CPU));
	CHECK(!facts_next(NULL, IKC_FACT_CPU, NULL));
	free(facts);
	CHECK(!facts_take(0, 0));
	free(facts_take(IKC_PROCESS_THREADS - 1, 0));
}

/* Another worker has taken it, and keeps it soon. */
static void *keep_late(void *unused)
{
	struct ikc_process_message late = { .kind = IKC_PROCESS_FACT, .life = 0, .number = IKC_FACT_NODE };

	(void)unused;
	sched_yield();
	CHECK(facts_add(&late));
	return NULL;
}

static void test_facts_that_others_have_are_waited_for(void)
{
	struct ikc_process_message early = { .kind = IKC_PROCESS_FACT, .life = 1, .number = IKC_FACT_CPU };
	struct facts *facts;
	pthread_t other;

	CHECK(facts_add(&early));
	CHECK(!pthread_create(&other, NULL, keep_late, NULL));
	facts = facts_take(0, 2);
	CHECK_EQ(facts->count, 2);
	CHECK(facts_have(facts, 1 << IKC_FACT_CPU | 1 << IKC_FACT_NODE));
	free(facts);
	pthread_join(other, NULL);
}

static void test_lists_are_made_of_facts(void)
{
	struct ikc_process_message fact = { .kind = IKC_PROCESS_FACT, .number = IKC_FACT_CPU };
	struct facts *facts;
	size_t length;
	uint64_t id;

	for (id = 0; id < 6; id++) {
		fact.life = id;
		fact.words[0] = id;
		fact.words[2] = id / 4;
		fact.words[6] = id != 2;
		CHECK(facts_add(&fact));
	}
	facts = facts_take(0, 6);
	check_text(view_sets_text(facts, "cpu/online", &length), "0-1,3-5\n");
	CHECK_EQ(length, 8);
	check_text(view_sets_text(facts, "cpu/offline", &length), "2\n");
	check_text(view_sets_text(facts, "cpu/present", &length), "0-5\n");
	check_text(view_sets_text(facts, "node/has_cpu", &length), "0-1\n");
	check_text(view_sets_text(facts, "node/online", &length), "\n");
	CHECK(!view_sets_text(facts, "cpu/other", &length));
	free(facts);
}

int main(void)
{
	RUN(test_path_is_joined_without_crooked_names);
	RUN(test_links_between_cpus_and_nodes_are_followed_unless_last);
	RUN(test_views_are_known_by_their_paths);
	RUN(test_other_paths_are_the_hosts);
	RUN(test_texts_of_any_length_and_kind);
	RUN(test_sets_are_written_as_linux_writes_them);
	RUN(test_facts_that_others_have_are_waited_for);
	RUN(test_lists_are_made_of_facts);
	RUN(test_facts_are_kept_for_each_slot_until_they_are_taken);
	return 0;
}
