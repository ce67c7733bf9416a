/* SPDX-License-Identifier: Apache-2.0 */
/* Self-tests that take all CPUs: calls between them, atomics, time. */
#include <arch/cpu_topology.h>
#include <lwk/cpu.h>
#include <lwk/selftest.h>
#include <lwk/time.h>
#include <lwk/topology.h>
#include <lwk/work.h>
#include <lwk/xcall.h>

#define ANSWER_WITHIN (30 * NS_PER_S)

static void check_identity(void *wrong)
{
	const struct cpu *cpu = this_cpu();

	if (cpu != cpus[cpu->id] || cpu->apic_id != cpu_topology_apic_id() || interrupts_enabled())
		__atomic_add_fetch((uint32_t *)wrong, 1, __ATOMIC_RELAXED);
}

static void note_id(void *id)
{
	*(uint32_t *)id = this_cpu()->id;
}

/* Each CPU, from its idle loop, calls its right neighbour; all at the same time. */
struct ring_work {
	struct work work;
	uint32_t *done;
};

static struct ring_work ring[MAX_CPUS];

static void call_neighbour(struct work *work)
{
	struct ring_work *mine = container_of(work, struct ring_work, work);
	uint32_t neighbour = (this_cpu()->id + 1) % cpu_count, answered = UINT32_MAX;

	xcall_one(neighbour, note_id, &answered);
	if (answered == neighbour)
		__atomic_add_fetch(mine->done, 1, __ATOMIC_RELEASE);
}

static const char *test_ring(void)
{
	uint64_t deadline = deadline_after(ANSWER_WITHIN);
	static uint32_t done;

	done = 0;
	for (unsigned int id = 0; id < cpu_count; id++) {
		ring[id] = (struct ring_work){ .work.run = call_neighbour, .done = &done };
		work_queue(id, &ring[id].work);
	}
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < cpu_count) {
		work_run_queued(); /* this CPU is not idle */
		if (deadline_passed(deadline))
			return selftest_failed("%u of %u CPUs reached their neighbour", done,
					       cpu_count);
		cpu_relax();
	}
	return NULL;
}

const char *selftest_smp(void)
{
	uint32_t wrong = 0;

	if (cpu_online_count() != topology.cpu_count)
		return selftest_failed("%u of %u CPUs are online", cpu_online_count(),
				       topology.cpu_count);
	xcall_all(check_identity, &wrong);
	if (wrong)
		return selftest_failed("%u CPUs are not who they should be", wrong);
	for (uint32_t id = 0; id < cpu_count; id++) {
		uint32_t answered = UINT32_MAX;

		xcall_one(id, note_id, &answered);
		if (answered != id)
			return selftest_failed("CPU %u answered for CPU %u", answered, id);
	}
	return test_ring();
}

#define ADDS 100

static struct {
	_Alignas(8) uint64_t sum;
	uint64_t swapped;
	uint32_t bits;
} shared;

static void add_many(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < ADDS; i++) {
		uint64_t old = __atomic_load_n(&shared.swapped, __ATOMIC_RELAXED);

		__atomic_fetch_add(&shared.sum, 3, __ATOMIC_RELAXED);
		__atomic_fetch_xor(&shared.bits, 1u << i % 32, __ATOMIC_RELAXED);
		while (!__atomic_compare_exchange_n(&shared.swapped, &old, old + 1, true,
						    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
	}
}

const char *selftest_atomics(void)
{
	uint64_t rounds, adds;
	uint32_t bits = 0;

	for (unsigned int i = 0; i < ADDS; i++)
		bits ^= 1u << i % 32;
	shared.sum = shared.swapped = shared.bits = 0;
	rounds = selftest_together(add_many, NULL);
	adds = rounds * ADDS;
	if (shared.sum != 3 * adds)
		return selftest_failed("locked adds: %lu of %lu arrived", shared.sum / 3, adds);
	if (shared.swapped != adds)
		return selftest_failed("compare-and-swap: %lu of %lu arrived", shared.swapped,
				       adds);
	if (shared.bits != (rounds % 2 ? bits : 0))
		return selftest_failed("locked xor left 0x%x after %lu rounds", shared.bits,
				       rounds);
	return NULL;
}

#define READING_PAUSE 200 /* see lwk/time.h: without it, 192 CPUs on 2 real ones need a minute */

static struct {
	uint64_t latest;
	uint64_t worst_ns; /* how far a clock was behind what another had shown before */
} shown;

/*
 * Shows its time if it is later than all before: whoever reads a clock after that must read no
 * less.
 */
static void watch_clock(void *unused)
{
	uint64_t latest = __atomic_load_n(&shown.latest, __ATOMIC_ACQUIRE);
	uint64_t now = time_ns();

	(void)unused;
	if (now < latest)
		__atomic_store_n(&shown.worst_ns, latest - now, __ATOMIC_RELAXED);
	while (now > latest && !__atomic_compare_exchange_n(&shown.latest, &latest, now, true,
							    __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
	for (unsigned int i = 0; i < READING_PAUSE; i++)
		cpu_relax();
}

const char *selftest_tsc(void)
{
	shown.latest = shown.worst_ns = 0;
	selftest_together(watch_clock, NULL);
	if (shown.worst_ns)
		return selftest_failed("a CPU's clock was %lu ns behind another's", shown.worst_ns);
	return NULL;
}
