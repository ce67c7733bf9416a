/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self-tests of the way to other partitions: interrupts through ivshmem, the pool, and atomics on
 * memory that is shared.
 */
#include <arch/cpu.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_pool.h>
#include <lwk/ivshmem.h>
#include <lwk/selftest.h>
#include <lwk/time.h>

#define MEET_NS (10 * NS_PER_S) /* the other VM may start later, on a busy machine */
#define INTERRUPT_NS (2 * NS_PER_S)
#define ADDS 500000
#define ADD_BATCH 1000

static const char *what_is_missing(void)
{
	if (!ivshmem.memory)
		return "no ivshmem-doorbell device";
	if (!ikc_local.partition)
		return "no IKC region in the ivshmem device";
	return NULL;
}

static const char *ring_self(uint32_t vector)
{
	unsigned int irq = ivshmem.irqs[vector];
	unsigned int cpu_id = vector < IKC_VECTOR_CHANNEL ? 0 : channel_vector_cpu(vector);
	uint32_t *count = &cpus[cpu_id]->irq_counts[irq];
	uint32_t before = ikc_load(count);
	uint64_t deadline = deadline_after(INTERRUPT_NS);

	ivshmem_ring(ikc_local.id, vector);
	while (ikc_load(count) == before)
		if (deadline_passed(deadline))
			return selftest_failed("doorbell %u brought CPU %u no interrupt", vector,
					       cpu_id);
	return NULL;
}

/*
 * A doorbell to this very partition goes the whole way: device, eventfd, MSI-X, the local APIC of the
 * CPU that serves this vector, handler.
 */
const char *selftest_interrupt(void)
{
	const char *failure = what_is_missing();

	for (uint32_t vector = 0; !failure && vector < IKC_VECTORS; vector++)
		failure = ring_self(vector);
	return failure;
}

/* All pages of the pool can be had, none twice, and all again when they came back. */
const char *selftest_pool(void)
{
	static bool had[IKC_POOL_PAGES];

	for (int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < IKC_POOL_PAGES; i++) {
			int first = ikc_pool_claim(IKC_PAGE_SIZE, NULL);

			SELFTEST_EXPECT(first >= 0 && first < IKC_POOL_PAGES);
			SELFTEST_EXPECT(!had[first]);
			had[first] = true;
		}
		SELFTEST_EXPECT(ikc_pool_claim(1, NULL) == -EAGAIN);
		SELFTEST_EXPECT(ikc_pool_claim(0, NULL) == 0);
		for (unsigned int i = 0; i < IKC_POOL_PAGES; i++) {
			ikc_pool_release(i, IKC_PAGE_SIZE);
			had[i] = false;
		}
	}
	SELFTEST_EXPECT(ikc_pool_claim(IKC_POOL_SIZE + 1, NULL) == -EMSGSIZE);
	SELFTEST_EXPECT(ikc_pool_claim(IKC_POOL_SIZE, NULL) == 0);
	ikc_pool_release(0, IKC_POOL_SIZE);
	return NULL;
}

enum phase { HERE = 1, ADDED = 2 };

/*
 * Says that this partition is in `phase`, and waits until all are. False: somebody did not come in
 * time.
 */
static bool meet(struct ikc_scratch *scratch, enum phase phase)
{
	uint64_t deadline = deadline_after(MEET_NS);

	ikc_store_release(&scratch->marks[ikc_local.id].phase, (uint32_t)phase);
	for (uint32_t i = 0; i < ikc_local.map.partition_count; i++)
		while (ikc_load_acquire(&scratch->marks[i].phase) < (uint32_t)phase) {
			if (deadline_passed(deadline))
				return false;
			cpu_relax();
		}
	return true;
}

static bool all_added_enough(const struct ikc_scratch *scratch)
{
	for (uint32_t i = 0; i < ikc_local.map.partition_count; i++)
		if (ikc_load(&scratch->marks[i].added) < ADDS)
			return false;
	return true;
}

/*
 * Goes on until the slowest has added enough, so that nobody, whenever it was scheduled, did so
 * alone.
 */
static bool add_together(struct ikc_scratch *scratch)
{
	uint64_t deadline = deadline_after(MEET_NS);
	uint64_t *added = &scratch->marks[ikc_local.id].added;

	while (!all_added_enough(scratch)) {
		if (deadline_passed(deadline))
			return false;
		for (int i = 0; i < ADD_BATCH; i++)
			__atomic_fetch_add(&scratch->sum, 1, __ATOMIC_SEQ_CST);
		ikc_store(added, ikc_load(added) + ADD_BATCH);
	}
	return true;
}

/*
 * Under TCG, locked instructions of two VMs exclude each other only if each VM has room for two
 * CPUs.
 */
const char *selftest_atomics_shared(void)
{
	const char *missing = what_is_missing();
	struct ikc_scratch *scratch;
	uint64_t total = 0, sum;

	if (missing)
		return missing;
	scratch = ikc_scratch_at(&ikc_local.map);
	if (!scratch || ikc_local.map.partition_count < 2)
		return "the IKC region needs two partitions and a scratch page";
	if (!meet(scratch, HERE))
		return "the other partitions did not come";
	if (!add_together(scratch) || !meet(scratch, ADDED))
		return "the other partitions did not finish";

	for (uint32_t i = 0; i < ikc_local.map.partition_count; i++)
		total += ikc_load(&scratch->marks[i].added);
	sum = ikc_load(&scratch->sum);
	if (sum != total)
		return selftest_failed("%lu of %lu locked additions of different VMs were lost",
				       total - sum, total);
	return NULL;
}
