/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl bench: measures messages, and the bare things that they are compared with (ikc_bench.h). */
#include "ikc_bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "error.h"
#include "options.h"
#include "verbs.h"
#include "wire.h"

#define BENCH_TIMEOUT_MS 20000
/* All that another partition measures. */
#define BENCH_ORDER_MS 120000

enum { BENCH_BY, BENCH_SIZE, BENCH_COUNT, BENCH_CPU, BENCH_PEER_CPU, BENCH_JSON };

static const struct option_rule bench_rules[] = {
	[BENCH_BY] = { "--by", true },
	[BENCH_SIZE] = { "--size", true },
	[BENCH_COUNT] = { "--count", true },
	[BENCH_CPU] = { "--cpu", true },
	[BENCH_PEER_CPU] = { "--peer-cpu", true },
	[BENCH_JSON] = { "--json", false },
	{ 0 },
};

static const char *const bench_kinds[] = {
	[IKC_BENCH_ECHO_POLL] = "echo-poll", [IKC_BENCH_ECHO_BELL] = "echo-bell",
	[IKC_BENCH_BARE_POLL] = "bare-poll", [IKC_BENCH_BARE_BELL] = "bare-bell",
	[IKC_BENCH_SINK] = "sink",	     [IKC_BENCH_BULK] = "bulk",
	[IKC_BENCH_RING] = "ring",	     [IKC_BENCH_MEMCPY] = "memcpy",
};

#define BENCH_KINDS (sizeof(bench_kinds) / sizeof(bench_kinds[0]))

struct bench_run {
	struct device device;
	struct ikc_bench_order order; /* whoever does it */
	uint32_t by;
	struct ikc_bench_result result;
};

static uint32_t bench_kind(const char *word)
{
	uint32_t kind;

	for (kind = IKC_BENCH_ECHO_POLL; kind < BENCH_KINDS; kind++)
		if (!strcmp(bench_kinds[kind], word))
			return kind;
	die(EXIT_USAGE, "no kind \"%s\": there are echo-poll, echo-bell, bare-poll, bare-bell, sink, bulk, "
	    "and with --by ring and memcpy", word);
}

static uint32_t bench_number(const struct options *options, int option, uint32_t least, uint32_t most,
			     uint32_t otherwise)
{
	const char *text = options->values[option];

	return text ? option_number(bench_rules[option].name, text, least, most) : otherwise;
}

/* In our own kernel: the module does it. */
static void bench_here(struct bench_run *run)
{
	const struct ikc_bench_order *order = &run->order;
	struct ikc_measure measure = {
		.kind = order->kind,
		.size = order->size,
		.count = order->count,
		.peer_cpu = order->peer_cpu,
	};
	struct channel channel = channel_open(&run->device, order->partition, IKC_PORT_BENCH, IKC_BENCH_MAGIC,
					      IKC_MESSAGE_MAX, BENCH_TIMEOUT_MS);
	uint32_t cpu = order->own_cpu;

	if (cpu != IKC_BENCH_ANY_CPU && ioctl(channel.fd, IKC_IOCTL_SERVE, &cpu))
		die(EXIT_FAILED, "serve on CPU %u: %s", cpu, strerror(errno));
	if (ioctl(channel.fd, IKC_IOCTL_MEASURE, &measure))
		die(EXIT_FAILED, "measure: %s", channel_why(&channel, errno));
	run->result = (struct ikc_bench_result) { measure.kind, measure.fault, measure.ns };
}

static void bench_by_order(struct bench_run *run)
{
	struct wire wire = wire_open(&run->device, run->by, IKC_PORT_BENCH, BENCH_TIMEOUT_MS);
	struct endpoint_message answer;
	int error = wire_send(&wire, &run->order, sizeof(run->order), BENCH_TIMEOUT_MS);

	if (!error)
		error = wire_receive(&wire, &answer, BENCH_ORDER_MS);
	if (error)
		die(EXIT_FAILED, "order: %s", wire_why(&wire, error));
	if (answer.length != sizeof(run->result))
		die(EXIT_FAILED, "order: an answer of %u bytes instead of %zu", answer.length,
		    sizeof(run->result));
	memcpy(&run->result, answer.data, sizeof(run->result));
}

static void bench_print(const struct bench_run *run, bool json)
{
	const struct ikc_bench_order *order = &run->order;
	const char *kind = bench_kinds[order->kind];
	double each = (double)run->result.ns / order->count;
	char by[IKC_NAME_SIZE], peer[IKC_NAME_SIZE];

	device_name(&run->device, run->by, by);
	device_name(&run->device, order->partition, peer);
	if (json)
		printf("{\"kind\": \"%s\", \"by\": \"%s\", \"peer\": \"%s\", \"size\": %u, \"count\": %u, "
		       "\"ns\": %llu}\n", kind, by, peer, order->size, order->count,
		       (unsigned long long)run->result.ns);
	else
		printf("%s, %s and %s, %u bytes: %u in %.3f s, %.0f ns each\n", kind, by, peer, order->size,
		       order->count, run->result.ns / 1e9, each);
}

static struct bench_run bench_prepare(const struct options *options)
{
	const char *by = options->values[BENCH_BY];
	struct bench_run run = { .device = device_open() };
	struct ikc_bench_order *order = &run.order;

	order->kind = bench_kind(options->operands[1]);
	order->size = bench_number(options, BENCH_SIZE, 0, IKC_POOL_SIZE, 64);
	order->count = bench_number(options, BENCH_COUNT, 1, UINT32_MAX, 10000);
	order->own_cpu = bench_number(options, BENCH_CPU, 0, IKC_BENCH_ANY_CPU - 1, IKC_BENCH_ANY_CPU);
	order->peer_cpu = bench_number(options, BENCH_PEER_CPU, 0, IKC_BENCH_ANY_CPU - 1, IKC_BENCH_ANY_CPU);
	order->partition = device_find(&run.device, options->operands[0]);
	run.by = by ? device_find_peer(&run.device, by) : run.device.info.own_id;
	if (!by && order->kind >= IKC_BENCH_RING)
		die(EXIT_USAGE, "%s is measured by a lightweight kernel alone: add --by", bench_kinds[order->kind]);
	if (order->kind < IKC_BENCH_RING && run.by == order->partition)
		die(EXIT_USAGE, "%s needs two partitions", bench_kinds[order->kind]);
	return run;
}

int verb_bench(char **words)
{
	struct options options = options_read(words, bench_rules, "PEER KIND");
	struct bench_run run = bench_prepare(&options);

	if (run.by == run.device.info.own_id)
		bench_here(&run);
	else
		bench_by_order(&run);
	if (run.result.fault)
		die(EXIT_FAILED, "bench: %s", ikc_bench_fault_word(run.result.fault));
	bench_print(&run, options.values[BENCH_JSON]);
	return 0;
}
