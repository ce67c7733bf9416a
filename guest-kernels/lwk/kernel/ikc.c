/* SPDX-License-Identifier: Apache-2.0 */
/* Brings up inter-kernel communication, in two steps: be seen, then be reached. */
#include <arch/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/ikc_bench.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_echo.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_mailbox.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_status.h>
#include <lwk/ikc_stream.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/pci.h>
#include <lwk/process.h>

#define IKC_CPU 0 /* takes the doorbells of control and data rings */

struct ikc_local ikc_local;

static void enter_region(const struct ikc_map *map)
{
	ikc_local = (struct ikc_local){
		.partition = ikc_partition_at(map, ivshmem.id),
		.map = *map,
		.id = ivshmem.id,
	};
	ikc_local.incarnation = ikc_load_acquire(&ikc_local.partition->mailbox.incarnation);
	ikc_status_init(ikc_mailbox_init());
	log_info("ikc: partition %u of %u, life %u", ikc_local.id, map->partition_count,
		 ikc_local.incarnation);
}

void ikc_init(void)
{
	const char *fault;
	struct ikc_map map;
	int err;

	err = ivshmem_init();
	if (err == -ENODEV) {
		log_info("ikc: no ivshmem-doorbell device");
		return;
	}
	if (err) {
		log_error("ikc: ivshmem does not work: error %d", err);
		return;
	}
	fault = ikc_map_region(&map, ivshmem.memory, ivshmem.size);
	if (!fault && ivshmem.id >= map.partition_count)
		fault = "fewer partitions than this peer's id";
	if (fault) {
		log_error("ikc: what ivshmem shows is no IKC region: %s", fault);
		return;
	}
	enter_region(&map);
}

static void control_rang(void *arg)
{
	(void)arg;
	ikc_mailbox_look();
	ikc_links_look();
}

static void data_rang(void *arg)
{
	(void)arg;
	ikc_data_look_soon();
}

static int listen(void)
{
	struct ivshmem_vector vectors[IKC_VECTORS] = {
		[IKC_VECTOR_CONTROL] = { .handler = control_rang, .cpu_id = IKC_CPU },
		[IKC_VECTOR_DATA] = { .handler = data_rang, .cpu_id = IKC_CPU },
	};

	channel_vectors_init();
	for (unsigned int i = IKC_VECTOR_CHANNEL; i < IKC_VECTORS; i++)
		vectors[i] = (struct ivshmem_vector){
			.handler = channel_vector_rang,
			.arg = channel_vector_argument(i),
			.cpu_id = channel_vector_cpu(i),
		};
	return ivshmem_listen(vectors);
}

void ikc_start(void)
{
	uint64_t flags;
	int err;

	if (!ikc_local.partition)
		return;
	ikc_report_init();
	ikc_echo_init();
	ikc_stream_init();
	ikc_stream_boot_init();
	ikc_bench_init();
	process_init();
	err = ikc_links_init();
	if (!err)
		err = listen();
	if (err) {
		log_error("ikc: cannot start: error %d", err);
		return;
	}
	ikc_status_ready();

	/* what was rung before anybody listened */
	flags = interrupts_save();
	control_rang(NULL);
	interrupts_restore(flags);
	ikc_links_ring();
}
