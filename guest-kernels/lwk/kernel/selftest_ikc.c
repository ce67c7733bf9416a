/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Self-tests of the way to other partitions: an interrupt through ivshmem, and atomics on memory
 * that is shared.
 */
#include <arch/cpu.h>
#include <lwk/ikc_local.h>
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

/*
 * A doorbell to this very partition goes the whole way: device, eventfd, MSI-X, local APIC,
 * handler.
 */
const char *selftest_interrupt(void)
{
	unsigned int irq = ivshmem.irqs[IKC_VECTOR_DATA];
	const char *missing = what_is_missing();
	uint64_t before, deadline;

	if (missing)
		return missing;
	before = irq_count(irq);
	deadline = deadline_after(INTERRUPT_NS);
	ivshmem_ring(ikc_local.id, IKC_VECTOR_DATA);
	while (irq_count(irq) == before)
		if (deadline_passed(deadline))
			return "a doorbell to this partition brought no interrupt";
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
