// SPDX-License-Identifier: Apache-2.0
/* Plays the kernels of both partitions on a region in a file, through the functions that they use. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "ikc_link.h"
#include "ikc_log.h"

int main(int argc, char **argv)
{
	size_t size = 1 << 23;
	void *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, open(argv[1], O_RDWR), 0);
	struct ikc_link host_end, lwk_end;
	struct ikc_map map;
	const char *fault = ikc_map_region(&map, memory, size);
	struct ikc_partition *lwk;
	bool more;
	int i;

	if (fault)
		return puts(fault), 1;
	lwk = ikc_partition_at(&map, 1);
	printf("%s %u %u %u\n", lwk->identity.name, lwk->identity.kernel_kind, lwk->identity.cpu_count,
	       map.monitor_id);
	printf("%llx %u\n", (long long)lwk->identity.segments[1].phys, lwk->identity.segments[1].window_devfn);
	printf("%u %u %u\n", lwk->mailbox.incarnation, lwk->mailbox.command, lwk->mailbox.sequence);

	lwk->status.incarnation = lwk->mailbox.incarnation;
	lwk->status.cpus_online = 3;
	lwk->status.ready_ns = 12345678901;
	strcpy(lwk->status.panic_text, "oh no\n\033[2J");
	lwk->status.memory_bytes = 64 << 20;
	lwk->status.free_bytes = 48 << 20;
	lwk->status.processes = 2;
	lwk->status.threads = 5;
	lwk->status.offloads = 1000;
	lwk->status.offload_ns = 6000000000;
	lwk->status.panic_length = strlen(lwk->status.panic_text);
	lwk->status.answered = lwk->mailbox.sequence;
	lwk->status.state = IKC_PARTITION_PANICKED;
	lwk->report = (struct ikc_report){ .cpu_count = 2, .node_count = 2, .range_count = 1 };
	lwk->report.cpus[1] = (struct ikc_report_cpu){ 5, 1 };
	lwk->report.ranges[0] = (struct ikc_report_range){ 1 << 20, 2 << 20, 1 };
	lwk->report.distances[0][1] = 21;
	lwk->report.latency_ns[1][0] = 300;
	lwk->status.report_valid = 1;
	for (i = 0; i < 40000; i++) {
		char line[32];

		ikc_log_write(&lwk->log, line, sprintf(line, "line %d\n", i));
	}
	ikc_link_init(&host_end, &map, 0, 1, 1);
	ikc_link_init(&lwk_end, &map, 1, 0, 1);
	do {
		more = ikc_link_step(&host_end);
		more |= ikc_link_step(&lwk_end);
	} while (more);
	return 0;
}
