/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl status: what every partition says of itself, and this partition's links. */
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "options.h"
#include "verbs.h"
#include "words.h"

static const struct option_rule status_rules[] = { { "--json", false }, { 0 } };

struct status_link {
	uint32_t peer;
	const struct ikc_half *own;
	const struct ikc_half *other;
	uint32_t generation;
	uint32_t peer_generation;
};

static struct status_link status_link(const struct device *device, uint32_t peer)
{
	struct status_link link = {
		.peer = peer,
		.own = ikc_half_at(&device->map, device->info.own_id, peer),
		.other = ikc_half_at(&device->map, peer, device->info.own_id),
	};
	uint64_t lives = ikc_load(&link.own->lives);

	link.generation = lives >> 32;
	link.peer_generation = (uint32_t)lives;
	return link;
}

/* The panic text, if it panicked: bytes. */
static uint32_t status_panic_length(const struct ikc_partition *partition)
{
	uint32_t length = ikc_load(&partition->status.panic_length);

	if (strcmp(word_partition_state(partition), "PANICKED"))
		return 0;
	return length < IKC_PANIC_TEXT_SIZE ? length : IKC_PANIC_TEXT_SIZE;
}

/* ---- for people ---- */

static void status_print_partition(const struct device *device, uint32_t index)
{
	const struct ikc_partition *partition = device_partition(device, index);
	uint32_t panic_length = status_panic_length(partition);
	const char *text = partition->status.panic_text;
	const char *line_end = memchr(text, '\n', panic_length);
	char name[IKC_NAME_SIZE];

	device_name(device, index, name);
	printf("%-12s %2u  %-6s  %-10s  %4u  %4u/%-4u  %9llu  %.*s\n", name, index,
	       word_kernel(partition->identity.kernel_kind), word_partition_state(partition),
	       ikc_load(&partition->mailbox.incarnation), ikc_load(&partition->status.cpus_online),
	       partition->identity.cpu_count, (unsigned long long)ikc_load(&partition->status.heartbeat),
	       line_end ? (int)(line_end - text) : (int)panic_length, text);
}

static void status_print_link(const struct device *device, const struct status_link *link)
{
	const struct ikc_counters *counters = &link->own->counters;
	char name[IKC_NAME_SIZE];

	device_name(device, link->peer, name);
	printf("%-12s %-5s  %-5s  %5u.%-5u %5u.%-5u  %10llu  %10llu  %6llu  %7llu  %s\n", name,
	       word_link_state(ikc_load(&link->own->state)),
	       word_link_state(ikc_load(&link->other->state)), link->generation >> 16,
	       link->generation & 0xffff, link->peer_generation >> 16, link->peer_generation & 0xffff,
	       (unsigned long long)ikc_load(&counters->sent),
	       (unsigned long long)ikc_load(&counters->received),
	       (unsigned long long)ikc_load(&counters->resets),
	       (unsigned long long)ikc_load(&counters->refused),
	       word_reset_reason(ikc_load(&link->own->reset_reason)));
}

static void status_print(const struct device *device)
{
	struct status_link link;
	uint32_t i;

	printf("%-12s %2s  %-6s  %-10s  %4s  %-9s  %9s  %s\n", "PARTITION", "ID", "KERNEL", "STATE",
	       "LIFE", "CPUS", "HEARTBEAT", "PANIC");
	for (i = 0; i < device->info.partition_count; i++)
		status_print_partition(device, i);
	printf("\n%-12s %-5s  %-5s  %-11s %-11s  %10s  %10s  %6s  %7s  %s\n", "LINK TO", "OURS",
	       "THEIRS", "OUR LIFE", "THEIR LIFE", "SENT", "RECEIVED", "RESETS", "REFUSED", "LAST RESET");
	for (i = 0; i < device->info.partition_count; i++) {
		if (i == device->info.own_id)
			continue;
		link = status_link(device, i);
		status_print_link(device, &link);
	}
}

/* ---- for programs ---- */

static void status_json_partition(const struct device *device, uint32_t index)
{
	const struct ikc_partition *partition = device_partition(device, index);
	const struct ikc_status *status = &partition->status;
	uint32_t panic_length = status_panic_length(partition);
	char name[IKC_NAME_SIZE];

	device_name(device, index, name);
	printf("{\"name\": \"%s\", \"index\": %u, \"kernel\": \"%s\", \"is_host\": %s, \"state\": \"%s\", ",
	       name, index, word_kernel(partition->identity.kernel_kind),
	       partition->identity.is_host ? "true" : "false", word_partition_state(partition));
	printf("\"incarnation\": %u, \"cpus_online\": %u, \"cpu_count\": %u, \"heartbeat\": %llu, ",
	       ikc_load(&partition->mailbox.incarnation), ikc_load(&status->cpus_online),
	       partition->identity.cpu_count, (unsigned long long)ikc_load(&status->heartbeat));
	printf("\"entry_ns\": %llu, \"ready_ns\": %llu, \"panic_text\": ",
	       (unsigned long long)ikc_load(&status->entry_ns),
	       (unsigned long long)ikc_load(&status->ready_ns));
	if (panic_length)
		word_print_json(status->panic_text, panic_length);
	else
		fputs("null", stdout);
	putchar('}');
}

static void status_json_counters(const struct ikc_counters *counters)
{
	printf("{\"sent\": %llu, \"received\": %llu, \"sent_bytes\": %llu, \"received_bytes\": %llu, ",
	       (unsigned long long)ikc_load(&counters->sent),
	       (unsigned long long)ikc_load(&counters->received),
	       (unsigned long long)ikc_load(&counters->sent_bytes),
	       (unsigned long long)ikc_load(&counters->received_bytes));
	printf("\"full\": %llu, \"doorbells\": %llu, \"interrupts\": %llu, \"resets\": %llu, "
	       "\"refused\": %llu}",
	       (unsigned long long)ikc_load(&counters->full),
	       (unsigned long long)ikc_load(&counters->doorbells),
	       (unsigned long long)ikc_load(&counters->interrupts),
	       (unsigned long long)ikc_load(&counters->resets),
	       (unsigned long long)ikc_load(&counters->refused));
}

static void status_json_link(const struct device *device, const struct status_link *link)
{
	char name[IKC_NAME_SIZE];

	device_name(device, link->peer, name);
	printf("{\"peer\": \"%s\", \"state\": \"%s\", \"peer_state\": \"%s\", \"reset_reason\": \"%s\", ",
	       name, word_link_state(ikc_load(&link->own->state)),
	       word_link_state(ikc_load(&link->other->state)),
	       word_reset_reason(ikc_load(&link->own->reset_reason)));
	printf("\"generation\": %u, \"peer_generation\": %u, \"counters\": ", link->generation,
	       link->peer_generation);
	status_json_counters(&link->own->counters);
	putchar('}');
}

static void status_json(const struct device *device)
{
	const char *separator = "";
	struct status_link link;
	char name[IKC_NAME_SIZE];
	uint32_t i;

	device_name(device, device->info.own_id, name);
	printf("{\"own\": \"%s\", \"run_id\": \"%016llx\", \"partitions\": [", name,
	       (unsigned long long)device->info.run_id);
	for (i = 0; i < device->info.partition_count; i++) {
		fputs(i ? ", " : "", stdout);
		status_json_partition(device, i);
	}
	fputs("], \"links\": [", stdout);
	for (i = 0; i < device->info.partition_count; i++) {
		if (i == device->info.own_id)
			continue;
		link = status_link(device, i);
		fputs(separator, stdout);
		status_json_link(device, &link);
		separator = ", ";
	}
	puts("]}");
}

int verb_status(char **words)
{
	struct options options = options_read(words, status_rules, "");
	struct device device = device_open();

	if (options.values[0])
		status_json(&device);
	else
		status_print(&device);
	return 0;
}
