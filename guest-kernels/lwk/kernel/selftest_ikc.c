/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests of the way to other partitions: an interrupt through ivshmem, and atomics on memory that is shared. */
#include <arch/cpu.h>
#include <lwk/ikc_local.h>
#include <lwk/ivshmem.h>
#include <lwk/log.h>
#include <lwk/selftest.h>
#include <lwk/time.h>

#define MEET_NS (10 * NS_PER_S) /* the other VM may start later, on a busy machine */
#define INTERRUPT_NS (2 * NS_PER_S)
#define ADD_NS (100 * NS_PER_MS)
#define ADD_BATCH 1000

static const char *what_is_missing(void)
{
	if (!ivshmem.memory)
		return "no ivshmem-doorbell device";
	if (!ikc_local.region)
		return "no IKC region in the ivshmem device";
	return NULL;
}

/* A doorbell to this very partition goes the whole way: device, eventfd, MSI-X, local APIC, handler. */
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

enum phase { HERE = 1, DONE = 2 };

/* Says that this partition is in `phase`, and waits until all are. False: somebody did not come in time. */
static bool meet(struct ikc_scratch *scratch, enum phase phase)
{
	uint64_t deadline = deadline_after(MEET_NS);

	ikc_store_release(&scratch->marks[ikc_local.id].phase, (uint32_t)phase);
	for (uint32_t i = 0; i < ikc_local.partition_count; i++)
		while (ikc_load_acquire(&scratch->marks[i].phase) < (uint32_t)phase) {
			if (deadline_passed(deadline))
				return false;
			cpu_relax();
		}
	return true;
}

/* Adds for a while, so that the partitions certainly do it at the same time. */
static uint64_t add_ones(uint64_t *sum)
{
	uint64_t deadline = deadline_after(ADD_NS);
	uint64_t added = 0, last = 0;

	while (!deadline_passed(deadline)) {
		for (int i = 0; i < ADD_BATCH; i++)
			last = __atomic_add_fetch(sum, 1, __ATOMIC_SEQ_CST);
		added += ADD_BATCH;
	}
	log_info("selftest: added %lu, the last made it %lu", added, last);
	return added;
}

/* Under TCG, locked instructions of two VMs exclude each other only if each VM has room for two CPUs. */
const char *selftest_atomics_shared(void)
{
	const char *missing = what_is_missing();
	struct ikc_scratch *scratch;
	uint64_t total = 0, sum;

	if (missing)
		return missing;
	scratch = ikc_scratch_at(ikc_local.region);
	if (!scratch || ikc_local.partition_count < 2)
		return "the IKC region needs two partitions and a scratch page";
	if (!meet(scratch, HERE))
		return "the other partitions did not come";
	ikc_store(&scratch->marks[ikc_local.id].added, add_ones(&scratch->sum));
	if (!meet(scratch, DONE))
		return "the other partitions did not finish";

	for (uint32_t i = 0; i < ikc_local.partition_count; i++)
		total += ikc_load(&scratch->marks[i].added);
	sum = ikc_load(&scratch->sum);
	if (sum != total)
		return selftest_failed("%lu of %lu locked additions of different VMs were lost", total - sum, total);
	return NULL;
}
