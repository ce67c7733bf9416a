/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs and memory of an LWK as Linux writes them. */
#define _GNU_SOURCE
#include "view_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_file.h"

enum { CPU_ID, CPU_APIC_ID, CPU_NODE, CPU_PACKAGE, CPU_CORE, CPU_THREAD, CPU_ONLINE, CPU_BUSY_NS };
enum { NODE_ID, NODE_BYTES, NODE_PAGES, NODE_FREE_PAGES };

#define PAGE_KIB 4
#define TICK_NS 10000000 /* USER_HZ is 100 */

typedef unsigned long long number;

/* ---- cpuinfo ---- */

static unsigned int count_like(const struct facts *facts, const uint64_t *like, bool cores)
{
	unsigned int count = 0;

	for_each_fact(cpu, facts, IKC_FACT_CPU)
		if (cpu[CPU_ONLINE] && cpu[CPU_PACKAGE] == like[CPU_PACKAGE])
			count += !cores || !cpu[CPU_THREAD];
	return count;
}

/* Flags are words; the LWK has these instructions switched off. */
static void print_flags(FILE *out, const char *line, size_t length)
{
	static const char off[] = " fsgsbase";
	const char *at = memmem(line, length, off, strlen(off));

	if (at && (at[strlen(off)] == ' ' || at[strlen(off)] == '\n')) {
		fwrite(line, 1, at - line, out);
		length -= at + strlen(off) - line;
		line = at + strlen(off);
	}
	fwrite(line, 1, length, out);
}

/* A line of the host's, with this CPU's number in it where that is told. */
static void print_cpu_line(FILE *out, const char *line, size_t length, const struct facts *facts, const uint64_t *cpu)
{
	const struct {
		const char *name;
		number value;
	} own[] = {
		{ "processor", cpu[CPU_ID] },
		{ "physical id", cpu[CPU_PACKAGE] },
		{ "siblings", count_like(facts, cpu, false) },
		{ "core id", cpu[CPU_CORE] },
		{ "cpu cores", count_like(facts, cpu, true) },
		{ "apicid", cpu[CPU_APIC_ID] },
		{ "initial apicid", cpu[CPU_APIC_ID] },
	};
	const char *colon = memchr(line, ':', length);
	size_t i;

	for (i = 0; colon && i < sizeof(own) / sizeof(own[0]); i++) {
		size_t name_length = strlen(own[i].name);

		if (!strncmp(line, own[i].name, name_length) && line[name_length] == '\t') {
			fprintf(out, "%.*s: %llu\n", (int)(colon - line), line, own[i].value);
			return;
		}
	}
	if (colon && !strncmp(line, "flags\t", 6))
		print_flags(out, line, length);
	else
		fwrite(line, 1, length, out);
}

char *view_cpuinfo(const struct facts *facts, size_t *length)
{
	char *host = host_file_read("/proc/cpuinfo"), *end, *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;

	if (!out) {
		free(host);
		return NULL;
	}
	end = strstr(host, "\n\n"); /* behind its first CPU */
	if (end)
		end[1] = '\0';
	for_each_fact(cpu, facts, IKC_FACT_CPU) {
		if (!cpu[CPU_ONLINE])
			continue;
		for_each_line(line, size, host)
			print_cpu_line(out, line, size, facts, cpu);
		fputc('\n', out);
	}
	free(host);
	return fclose(out) ? NULL : text;
}

/* ---- memory ---- */

/* Kernels of this kind have one use for memory: it is the programs', or free. */
static void print_memory(FILE *out, const char *prefix, number pages, number free_pages, bool of_node)
{
	static const char *const none[] = { "Active", "Inactive", "SwapCached", "Dirty", "Writeback", "Mapped", "Shmem" };
	size_t i;

	fprintf(out, "%sMemTotal:       %8llu kB\n", prefix, pages * PAGE_KIB);
	fprintf(out, "%sMemFree:        %8llu kB\n", prefix, free_pages * PAGE_KIB);
	if (of_node)
		fprintf(out, "%sMemUsed:        %8llu kB\n", prefix, (pages - free_pages) * PAGE_KIB);
	else
		fprintf(out, "MemAvailable:   %8llu kB\nBuffers:               0 kB\nCached:                0 kB\n",
			free_pages * PAGE_KIB);
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		fprintf(out, "%s%s:%*s0 kB\n", prefix, none[i], (int)(22 - strlen(none[i])), "");
	fprintf(out, "%sAnonPages:      %8llu kB\n", prefix, (pages - free_pages) * PAGE_KIB);
	if (!of_node)
		fputs("SwapTotal:             0 kB\nSwapFree:              0 kB\n", out);
	fprintf(out, "%sHugePages_Total:       0\n%sHugePages_Free:        0\n", prefix, prefix);
	if (!of_node)
		fputs("Hugepagesize:       2048 kB\n", out);
}

char *view_meminfo(const struct facts *facts, size_t *length)
{
	number pages = 0, free_pages = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	for_each_fact(node, facts, IKC_FACT_NODE) {
		pages += node[NODE_PAGES];
		free_pages += node[NODE_FREE_PAGES];
	}
	print_memory(out, "", pages, free_pages, false);
	return fclose(out) ? NULL : text;
}

char *view_node_meminfo(const struct facts *facts, uint64_t node, size_t *length)
{
	char prefix[32], *text = NULL;
	FILE *out = open_memstream(&text, length);

	if (!out)
		return NULL;
	snprintf(prefix, sizeof(prefix), "Node %llu ", (number)node);
	for_each_fact(told, facts, IKC_FACT_NODE)
		if (told[NODE_ID] == node)
			print_memory(out, prefix, told[NODE_PAGES], told[NODE_FREE_PAGES], true);
	return fclose(out) ? NULL : text;
}

/* ---- times ---- */

static void print_times(FILE *out, const char *name, number busy_ns, number all_ns)
{
	number busy = busy_ns / TICK_NS, all = all_ns / TICK_NS;

	fprintf(out, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name, busy, all > busy ? all - busy : 0);
}

char *view_times(const struct facts *facts, size_t *length)
{
	char *host = host_file_read("/proc/stat"), *text = NULL;
	FILE *out = host ? open_memstream(&text, length) : NULL;
	const uint64_t *time = facts_next(facts, IKC_FACT_TIME, NULL);
	number busy_ns = 0, all_ns = 0, now = time ? time[0] : 0;
	char name[32];

	if (!out) {
		free(host);
		return NULL;
	}
	for_each_fact(cpu, facts, IKC_FACT_CPU) {
		busy_ns += cpu[CPU_BUSY_NS];
		all_ns += cpu[CPU_ONLINE] ? now : 0;
	}
	print_times(out, "cpu ", busy_ns, all_ns);
	for_each_fact(cpu, facts, IKC_FACT_CPU) {
		if (!cpu[CPU_ONLINE])
			continue;
		snprintf(name, sizeof(name), "cpu%llu", (number)cpu[CPU_ID]);
		print_times(out, name, cpu[CPU_BUSY_NS], now);
	}
	for_each_line(line, size, host)
		if (strncmp(line, "cpu", 3))
			fwrite(line, 1, size, out);
	free(host);
	return fclose(out) ? NULL : text;
}
