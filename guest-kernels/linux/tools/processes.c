/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl ps: the processes of LWKs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ikc_process.h"

#include "cpu_text.h"
#include "endpoint.h"
#include "error.h"
#include "options.h"
#include "verbs.h"
#include "words.h"

#define PS_TIMEOUT_MS 5000
#define PAGE_KIB 4

struct ps {
	struct device device;
	bool json;
};

/* ---- one process ---- */

/* What an LWK says is a peer's word: a name of any bytes, a partition that may not be. */
static void ps_host_name(const struct ps *ps, const struct ikc_process_entry *entry, char name[IKC_NAME_SIZE])
{
	if (entry->partition < ps->device.info.partition_count)
		device_name(&ps->device, entry->partition, name);
	else
		snprintf(name, IKC_NAME_SIZE, "?");
}

/* "0-2,5", to be freed. */
static char *ps_cpus(const struct ikc_process_entry *entry)
{
	struct cpu_text_set set = { 0 };
	char *text;
	unsigned int i;

	for (i = 0; i < 64 * IKC_PROCESS_CPU_WORDS; i++)
		if (entry->cpus[i / 64] >> i % 64 & 1)
			cpu_text_add(&set, i);
	text = cpu_text_list(&set);
	if (!text)
		die(EXIT_FAILED, "no memory");
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void ps_print(const struct ps *ps, const char *partition, const struct ikc_process_entry *entry)
{
	char host[IKC_NAME_SIZE], name[IKC_PROCESS_NAME_SIZE];
	char *cpus = ps_cpus(entry);
	size_t i;

	ps_host_name(ps, entry, host);
	memcpy(name, entry->name, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (i = 0; name[i]; i++)
		if (name[i] < ' ' || name[i] > '~')
			name[i] = '?';
	printf("%-12s %7u  %-12s %-7s %7u  %-12s %10.2f  %11llu  %9llu  %s\n", partition, entry->id, host,
	       entry->ending ? "ENDING" : "RUNNING", entry->threads, *cpus ? cpus : "-", entry->cpu_ns / 1e9,
	       (unsigned long long)entry->pages * PAGE_KIB, (unsigned long long)entry->offloads, name);
	free(cpus);
}

static void ps_print_json(const struct ps *ps, const char *partition, const struct ikc_process_entry *entry)
{
	char host[IKC_NAME_SIZE];
	char *cpus = ps_cpus(entry);

	ps_host_name(ps, entry, host);
	printf("{\"partition\": \"%s\", \"pid\": %u, \"proxy_on\": \"%s\", \"state\": \"%s\", \"threads\": %u, ",
	       partition, entry->id, host, entry->ending ? "ENDING" : "RUNNING", entry->threads);
	printf("\"cpus\": \"%s\", \"cpu_ns\": %llu, \"memory_bytes\": %llu, \"offloads\": %llu, \"name\": ", cpus,
	       (unsigned long long)entry->cpu_ns, (unsigned long long)entry->pages * PAGE_KIB * 1024,
	       (unsigned long long)entry->offloads);
	word_print_json(entry->name, strnlen(entry->name, sizeof(entry->name)));
	puts("}");
	free(cpus);
}

/* ---- one LWK ---- */

/* An answer to what was asked, in which there is as much as it says. */
static bool ps_is_answer(const struct endpoint_message *message, uint32_t skip, struct ikc_process_list *list)
{
	if (message->length < sizeof(*list))
		return false;
	memcpy(list, message->data, sizeof(*list));
	return list->magic == IKC_PROCESS_MAGIC && list->skip == skip && list->count <= IKC_PROCESS_LIST_MAX &&
	       message->length == sizeof(*list) + list->count * sizeof(struct ikc_process_entry);
}

static struct ikc_process_list ps_ask(const struct endpoint *endpoint, uint32_t peer, const char *partition,
				      uint32_t skip, struct endpoint_message *message)
{
	struct ikc_process_list_request request = { IKC_PROCESS_MAGIC, skip };
	struct ikc_process_list list;
	int error;

	endpoint_send(endpoint, peer, IKC_PORT_PROCESS, &request, sizeof(request), PS_TIMEOUT_MS);
	error = endpoint_receive(endpoint, message, PS_TIMEOUT_MS);
	if (error == EAGAIN)
		die(EXIT_FAILED, "%s has not told its processes within %d ms", partition, PS_TIMEOUT_MS);
	if (error)
		die(EXIT_FAILED, "%s: %s", partition, endpoint_why(endpoint->device, peer, error));
	if (!ps_is_answer(message, skip, &list))
		die(EXIT_FAILED, "%s answers something else: is its LWK of the same build?", partition);
	return list;
}

/* As many messages as it takes; the list may change between them. */
static void ps_show(struct ps *ps, uint32_t peer)
{
	struct endpoint endpoint = endpoint_connect(&ps->device, peer, IKC_PORT_PROCESS, PS_TIMEOUT_MS);
	struct endpoint_message message;
	struct ikc_process_list list;
	struct ikc_process_entry entry;
	char partition[IKC_NAME_SIZE];
	uint32_t skip = 0, i;

	device_name(&ps->device, peer, partition);
	do {
		list = ps_ask(&endpoint, peer, partition, skip, &message);
		for (i = 0; i < list.count; i++) {
			memcpy(&entry, message.data + sizeof(list) + i * sizeof(entry), sizeof(entry));
			(ps->json ? ps_print_json : ps_print)(ps, partition, &entry);
		}
		skip += list.count;
	} while (list.count && skip < list.total);
}

/* ---- the verb ---- */

static bool ps_is_lwk(const struct device *device, uint32_t index)
{
	return device_partition(device, index)->identity.kernel_kind == IKC_KERNEL_LWK;
}

static uint32_t ps_find(const struct device *device, const char *text)
{
	uint32_t index = device_find(device, text);

	if (!ps_is_lwk(device, index))
		die(EXIT_USAGE, "\"%s\" runs no LWK: its processes are shown by its own ps", text);
	return index;
}

/* It may be left out. */
static bool ps_names_one(char **words)
{
	for (words++; *words; words++)
		if (**words != '-')
			return true;
	return false;
}

int verb_ps(char **words)
{
	static const struct option_rule rules[] = { { "--json", false }, { 0 } };
	struct options options = options_read(words, rules, ps_names_one(words) ? "PEER" : "");
	struct ps ps = { .device = device_open(), .json = options.values[0] };
	uint32_t only = options.operand_count ? ps_find(&ps.device, options.operands[0]) : ps.device.info.own_id;
	uint32_t i;

	if (!ps.json)
		printf("%-12s %7s  %-12s %-7s %7s  %-12s %10s  %11s  %9s  %s\n", "PARTITION", "PID", "PROXY ON",
		       "STATE", "THREADS", "CPUS", "TIME S", "MEMORY KIB", "OFFLOADS", "NAME");
	if (only != ps.device.info.own_id) {
		ps_show(&ps, only);
		return 0;
	}
	for (i = 0; i < ps.device.info.partition_count; i++)
		if (ps_is_lwk(&ps.device, i) && !strcmp(word_partition_state(device_partition(&ps.device, i)), "READY"))
			ps_show(&ps, i);
	return 0;
}
