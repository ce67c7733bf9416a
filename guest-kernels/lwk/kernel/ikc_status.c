/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status block: how this kernel is. Its one writer is this kernel; the monitor and every peer
 * read it.
 */
#include <lwk/cpu.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_peer.h>
#include <lwk/ikc_status.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/page_alloc.h>
#include <lwk/panic.h>
#include <lwk/paging.h>
#include <lwk/process.h>
#include <lwk/string.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/topology.h>

static struct ikc_status *status;

void ikc_status_set(enum ikc_partition_state state)
{
	ikc_store_release(&status->state, (uint32_t)state);
	ivshmem_ring(ikc_local.map.monitor_id, IKC_VECTOR_CONTROL);
}

/*
 * Two CPUs may do this at once, and the older numbers stay: until the next answer. Nothing is read back that others
 * could have written over.
 */
void ikc_status_use(void)
{
	uint64_t pages = 0, free_pages = 0;

	for (unsigned int node = 0; node < topology.node_count; node++) {
		struct page_usage usage = page_node_usage(node);

		pages += usage.total_pages;
		free_pages += usage.free_pages;
	}
	ikc_store(&status->free_bytes, free_pages * PAGE_SIZE);
	ikc_store(&status->processes, process_count());
	ikc_store(&status->threads, thread_count());
	ikc_store_release(&status->memory_bytes, pages * PAGE_SIZE);
}

/* Added in place, so that they never run backwards, whichever CPU comes last. */
HOT void ikc_status_offloaded(uint64_t waited_ns)
{
	__atomic_add_fetch(&status->offload_ns, waited_ns, __ATOMIC_RELAXED);
	__atomic_add_fetch(&status->offloads, 1, __ATOMIC_RELAXED);
}

void ikc_status_answer(uint32_t sequence, enum ikc_mailbox_result result)
{
	ikc_status_use();
	ikc_store(&status->heartbeat, ikc_load(&status->heartbeat) + 1);
	ikc_store(&status->answer, (uint32_t)result);
	ikc_store_release(&status->answered, sequence);
	ivshmem_ring(ikc_local.map.monitor_id, IKC_VECTOR_CONTROL);
}

/* Every other CPU was stopped, wherever it was: no lock may be taken from here on. */
static void tell_of_panic(const char *report)
{
	uint32_t length = strnlen(report, sizeof(status->panic_text));

	memcpy(status->panic_text, report, length);
	ikc_store(&status->panic_cpu, this_cpu()->id);
	ikc_store(&status->panic_length, length);
	ikc_status_set(IKC_PARTITION_PANICKED);
	ikc_links_ring();
}

void ikc_status_init(uint32_t answered)
{
	status = &ikc_local.partition->status;
	/* the order in which a new life takes over the page: struct ikc_status */
	ikc_store_release(&status->state, (uint32_t)IKC_PARTITION_NONE);
	ikc_store_release(&status->report_valid, 0);
	ikc_store_release(&status->panic_length, 0);
	ikc_store_release(&status->memory_bytes, 0);
	ikc_store_release(&status->answered, answered);
	ikc_store_release(&status->incarnation, ikc_local.incarnation);

	ikc_store(&status->heartbeat, 0);
	ikc_store(&status->cpus_online, 0);
	ikc_store(&status->tsc_khz, (uint32_t)(time_tsc_hz() / 1000));
	ikc_store(&status->entry_ns, time_ns());
	ikc_store(&status->ready_ns, 0);
	ikc_store(&status->offloads, 0);
	ikc_store(&status->offload_ns, 0);
	ikc_log_init();
	panic_set_hook(tell_of_panic);
	ikc_status_set(IKC_PARTITION_BOOTING);
}

void ikc_status_ready(void)
{
	ikc_store(&status->cpus_online, cpu_online_count());
	ikc_store(&status->ready_ns, time_ns());
	ikc_status_use();
	ikc_status_set(IKC_PARTITION_READY);
	log_info("ikc: ready");
}
