/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of which a proxy makes what its program sees of this kernel; told by the thread that asks for them. */
#include <lwk/cpu.h>
#include <lwk/page_alloc.h>
#include <lwk/process.h>
#include <lwk/process_facts.h>
#include <lwk/string.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/topology.h>

typedef struct ikc_process_message fact;

static fact fact_of(enum ikc_process_fact kind)
{
	return (fact){ .kind = IKC_PROCESS_FACT, .slot = this_thread()->slot, .number = kind };
}

/* Numbered, because several of the proxy's threads take them. */
static void tell(fact *told)
{
	told->life = this_thread()->facts_told++;
	process_tell(told);
}

static void tell_cpus(void)
{
	fact told = fact_of(IKC_FACT_CPU);

	for (unsigned int id = 0; id < cpu_count; id++) {
		const struct topology_cpu *cpu = &topology.cpus[id];
		uint64_t since = __atomic_load_n(&cpus[id]->busy_since, __ATOMIC_RELAXED);

		told.words[0] = id;
		told.words[1] = cpu->apic_id;
		told.words[2] = cpu->node;
		told.words[3] = cpu->package;
		told.words[4] = cpu->core;
		told.words[5] = cpu->thread;
		told.words[6] = cpus[id]->online;
		told.words[7] = __atomic_load_n(&cpus[id]->busy_ns, __ATOMIC_RELAXED) + (since ? time_ns() - since : 0);
		tell(&told);
	}
}

static void tell_nodes(void)
{
	fact told = fact_of(IKC_FACT_NODE);

	for (unsigned int node = 0; node < topology.node_count; node++) {
		struct page_usage usage = page_node_usage(node);

		told.words[0] = node;
		told.words[1] = topology_node_memory(node);
		told.words[2] = usage.total_pages;
		told.words[3] = usage.free_pages;
		tell(&told);
	}
}

static void tell_distances(void)
{
	fact told = fact_of(IKC_FACT_DISTANCE);

	for (unsigned int node = 0; node < topology.node_count; node++) {
		for (unsigned int first = 0; first < topology.node_count; first += IKC_FACT_DISTANCES) {
			told.words[0] = node;
			told.words[1] = first;
			memcpy(&told.words[2], &topology.distance[node][first],
			       MIN(topology.node_count - first, (unsigned int)IKC_FACT_DISTANCES));
			tell(&told);
		}
	}
}

/* Under the process's lock. */
static uint64_t signals_with(const struct process *process, bool (*is)(uint64_t handler))
{
	uint64_t set = 0;

	for (uint32_t number = 1; number <= SIGNALS; number++)
		if (is(process->actions[number - 1].handler))
			set |= SIGNAL_BIT(number);
	return set;
}

static bool is_ignored(uint64_t handler)
{
	return handler == SIG_IGN;
}

static bool is_caught(uint64_t handler)
{
	return handler > SIG_IGN;
}

static void tell_process(void)
{
	struct process *process = this_thread()->process;
	fact told = fact_of(IKC_FACT_PROCESS);
	uint64_t flags;

	told.words[1] = process_cpu_time(process);
	told.words[2] = process->space.page_count;
	told.words[3] = process->space.heap_start;
	told.words[4] = process->space.heap_end;
	flags = spin_lock(&process->lock);
	told.words[0] = process->thread_count;
	told.words[5] = __atomic_load_n(&process->pending, __ATOMIC_RELAXED);
	told.words[6] = signals_with(process, is_ignored);
	told.words[7] = signals_with(process, is_caught);
	spin_unlock(&process->lock, flags);
	tell(&told);
}

static bool can_run(const struct thread *thread)
{
	return __atomic_load_n(&thread->running_since, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&thread->work.queued, __ATOMIC_RELAXED);
}

/* False: there is none of that slot. */
static bool describe_thread(struct process *process, uint32_t slot, fact *told)
{
	uint64_t flags = spin_lock(&process->lock);
	const struct thread *thread = process->threads[slot];

	if (thread) {
		told->words[0] = thread->id;
		told->words[1] = thread->cpu_id;
		told->words[2] = can_run(thread) ? IKC_THREAD_RUNS : IKC_THREAD_WAITS;
		told->words[3] = thread_cpu_time(thread);
		told->words[4] = thread->offloads;
		told->words[5] = thread->pending;
		told->words[6] = thread->signal_mask;
	}
	spin_unlock(&process->lock, flags);
	return thread;
}

static void tell_threads(void)
{
	struct process *process = this_thread()->process;
	fact told = fact_of(IKC_FACT_THREAD);

	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX; slot++)
		if (describe_thread(process, slot, &told))
			tell(&told);
}

static void tell_areas(void)
{
	struct space *space = &this_thread()->process->space;
	fact told = fact_of(IKC_FACT_AREA);

	space_enter(space);
	for (const struct area *area = space->areas; area; area = area->next) {
		told.words[0] = area->start;
		told.words[1] = area->end;
		told.words[2] = area->protection;
		tell(&told);
	}
	space_leave(space);
}

static void tell_allowed(void)
{
	const struct thread *thread = this_thread();
	fact told = fact_of(IKC_FACT_ALLOWED);

	for (unsigned int first = 0; first < cpu_count; first += IKC_FACT_ALLOWED_CPUS) {
		told.words[0] = first;
		memset(&told.words[1], 0, sizeof(told.words) - sizeof(told.words[0]));
		for (unsigned int id = first; id < MIN(cpu_count, first + IKC_FACT_ALLOWED_CPUS); id++)
			if (cpu_set_has(&thread->cpus, id) && cpus[id]->online)
				told.words[1 + (id - first) / 64] |= 1ul << (id - first) % 64;
		tell(&told);
	}
}

static void tell_time(void)
{
	fact told = fact_of(IKC_FACT_TIME);

	told.words[0] = time_ns();
	told.words[1] = this_thread()->process->began;
	tell(&told);
}

uint32_t process_tell_facts(uint64_t set)
{
	static void (*const tellers[])(void) = {
		[IKC_FACT_CPU] = tell_cpus,
		[IKC_FACT_NODE] = tell_nodes,
		[IKC_FACT_DISTANCE] = tell_distances,
		[IKC_FACT_PROCESS] = tell_process,
		[IKC_FACT_THREAD] = tell_threads,
		[IKC_FACT_AREA] = tell_areas,
		[IKC_FACT_ALLOWED] = tell_allowed,
		[IKC_FACT_TIME] = tell_time,
	};

	_Static_assert(ARRAY_SIZE(tellers) == IKC_FACT_KINDS, "each has a function");
	this_thread()->facts_told = 0;
	for (unsigned int kind = 0; kind < IKC_FACT_KINDS; kind++)
		if (set >> kind & 1)
			tellers[kind]();
	return this_thread()->facts_told;
}
