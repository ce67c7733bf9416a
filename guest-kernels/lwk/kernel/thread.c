/* SPDX-License-Identifier: Apache-2.0 */
/* Threads: their kernel stacks, and how a CPU goes from one to another. */
#include <arch/thread_stack.h>
#include <lwk/ikc_status.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/process.h>
#include <lwk/syscall.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/user_paging.h>
#include <lwk/xcall.h>

_Static_assert(sizeof(struct thread) <= PAGE_SIZE, "a thread is one page");

uint32_t thread_count(void)
{
	uint32_t count = 0;

	for (unsigned int id = 0; id < cpu_count; id++)
		count += __atomic_load_n(&cpus[id]->thread_count, __ATOMIC_RELAXED);
	return count;
}

static void add(uint32_t *count, int by)
{
	__atomic_add_fetch(count, by, __ATOMIC_RELAXED);
}

static void count_staying(struct cpu *cpu, int by)
{
	add(&cpu->thread_count, by);
	add(&cpu->staying_count, by);
}

static void free_thread(struct thread *thread)
{
	struct process *process = thread->process;

	add(&cpus[thread->cpu_id]->thread_count, -1);
	thread_stack_give(thread->stack_top, thread->stack_node);
	page_free(virt_to_phys(thread), 0);
	ikc_status_use();
	process_put(process);
}

/* How little a CPU suits a new thread. It suits best where nobody stays, though one may still be at its end there. */
static uint64_t load(struct cpu *cpu)
{
	uint32_t count = __atomic_load_n(&cpu->staying_count, __ATOMIC_RELAXED);
	bool busy = __atomic_load_n(&cpu->thread, __ATOMIC_RELAXED) || !work_list_is_empty(&cpu->threads);

	return count ? (uint64_t)count << 1 | busy : 0;
}

/*
 * The one with the fewest threads; of equals one where they all wait, for a new one could wait there for ever behind one that
 * computes; CPU 0, which serves the links, comes last. Below 0: none of them.
 */
static int least_used(const struct cpu_set *set)
{
	uint64_t lowest = UINT64_MAX;
	int best = -1;

	for (unsigned int id = cpu_count; id-- > 0;) {
		uint64_t found = load(cpus[id]);

		if (!cpu_set_has(set, id) || !cpus[id]->online || found >= lowest)
			continue;
		lowest = found;
		best = id;
	}
	return best;
}

/* On the CPU that it leaves. Who wakes it from here on wakes it there. */
static void move(struct thread *thread)
{
	arch_thread_leave(&thread->registers);
	count_staying(this_cpu(), -1);
	count_staying(cpus[thread->goes_to], 1);
	__atomic_store_n(&thread->cpu_id, thread->goes_to, __ATOMIC_SEQ_CST);
	thread_wake(thread);
}

/* It has had the CPU, until now. */
static void count_time(struct cpu *cpu, struct thread *thread)
{
	uint64_t ns = time_ns() - thread->running_since;

	thread->cpu_ns += ns;
	cpu->busy_ns += ns;
	thread->running_since = cpu->busy_since = 0;
}

/* It goes to user mode without passing thread_leave_kernel(). */
static void begin(struct cpu *cpu, struct thread *thread)
{
	thread->begun = true;
	cpu_ignore();
	if (cpu_has_others())
		xcall_wake(cpu->id);
}

/*
 * In the idle loop. Comes back when the thread waits or has ended. Who ends may have been woken just before: then
 * that is the last to be done with it.
 */
HOT static void run(struct work *work)
{
	struct thread *thread = container_of(work, struct thread, work);
	struct cpu *cpu = this_cpu();

	if (thread->cpu_id != cpu->id) { /* woken here as it went */
		thread_wake(thread);
		return;
	}
	if (!thread->ended) {
		interrupts_disable();
		cpu->thread = thread;
		if (!thread->begun)
			begin(cpu, thread);
		thread->fresh = true;
		user_mode_set_entry_stack(thread->stack_top);
		user_tables_use(thread->process->space.root);
		arch_thread_load(&thread->registers);
		thread->running_since = cpu->busy_since = time_ns();
		context_switch(&cpu->idle_stack, thread->stack);
		cpu->thread = NULL;
		count_time(cpu, thread);
		if (thread->ended)
			arch_thread_forget(&thread->registers);
		interrupts_enable();
		if (thread->goes_to != cpu->id && !thread->ended) {
			move(thread);
			return;
		}
	}
	if (thread->ended && !__atomic_load_n(&thread->work.queued, __ATOMIC_ACQUIRE))
		free_thread(thread);
}

struct thread *thread_new(struct process *process, const struct cpu_set *set, const struct trap_frame *frame)
{
	int cpu_id = least_used(set);
	struct trap_frame *first;
	struct thread *thread;
	unsigned int node;
	paddr_t page;

	if (cpu_id < 0)
		return NULL;
	node = cpus[cpu_id]->node;
	page = page_alloc(0, node, PAGE_ZERO);
	if (!page)
		return NULL;
	thread = phys_to_virt(page);
	arch_thread_init(&thread->registers, process->space.root);
	thread->work.run = run;
	thread->process = process;
	thread->cpu_id = thread->goes_to = cpu_id;
	thread->cpus = *set;
	thread->stack_top = thread_stack_take(node);
	thread->stack_node = node;
	if (!thread->stack_top) {
		page_free(page, 0);
		return NULL;
	}
	first = (struct trap_frame *)thread->stack_top - 1;
	*first = *frame;
	thread->stack = context_begin(first);
	process_get(process);
	count_staying(cpus[cpu_id], 1);
	ikc_status_use();
	return thread;
}

void thread_discard(struct thread *thread)
{
	add(&cpus[thread->cpu_id]->staying_count, -1);
	free_thread(thread);
}

/* Others may ask while it goes on or off: off by a turn at most. */
uint64_t thread_cpu_time(const struct thread *thread)
{
	uint64_t since = __atomic_load_n(&thread->running_since, __ATOMIC_RELAXED);
	uint64_t before = __atomic_load_n(&thread->cpu_ns, __ATOMIC_RELAXED);

	return since ? before + (time_ns() - since) : before;
}

HOT void thread_wake(struct thread *thread)
{
	struct cpu *cpu = cpus[thread->cpu_id];

	if (work_list_add(&cpu->threads, &thread->work))
		cpu_wake(cpu);
}

HOT void thread_wait(void)
{
	struct thread *thread = this_thread();

	interrupts_disable();
	context_switch(&thread->stack, this_cpu()->idle_stack);
	interrupts_enable();
}

void thread_yield(void)
{
	thread_wake(this_thread());
	thread_wait();
}

void thread_begin_end(void)
{
	add(&this_cpu()->staying_count, -1);
}

_Noreturn void thread_end(void)
{
	interrupts_disable();
	this_thread()->ended = true;
	context_switch(&this_thread()->stack, this_cpu()->idle_stack);
	__builtin_unreachable();
}

/* To a CPU where it may be. If there is none any more it stays. */
static void go_where_allowed(struct thread *thread)
{
	int cpu_id = least_used(&thread->cpus);

	if (cpu_id < 0)
		return;
	thread->goes_to = cpu_id;
	thread_wait();
}

static bool is_where_allowed(const struct thread *thread)
{
	return cpu_set_has(&thread->cpus, thread->cpu_id) || least_used(&thread->cpus) < 0;
}

/* Others had the CPU before it, or there are none that wait for it. */
static bool has_given_way(const struct thread *thread)
{
	return thread->fresh || work_list_is_empty(&this_cpu()->threads);
}

/* Most of the times. */
static bool may_leave_at_once(const struct thread *thread)
{
	const struct process *process = thread->process;

	return !process_is_ending(process) && !process_is_stopped(process) && !thread->interrupted &&
	       !signal_is_due(thread) && cpu_set_has(&thread->cpus, thread->cpu_id) && !work_pending() &&
	       has_given_way(thread);
}

/*
 * What the fabric has to do comes first, always; then other threads have one turn, if they had none since this one entered the
 * kernel. More would be none for anybody: each is here when it goes on.
 */
HOT void thread_leave_kernel(struct trap_frame *frame)
{
	struct thread *thread = this_thread();

	for (cpu_ignore(); !may_leave_at_once(thread); cpu_ignore()) {
		if (process_is_ending(thread->process)) {
			interrupts_enable();
			process_leave();
		}
		if (process_is_stopped(thread->process)) {
			interrupts_enable();
			thread_wait();
			interrupts_disable();
			continue;
		}
		if (signal_is_due(thread)) {
			interrupts_enable();
			signal_deliver(frame);
			interrupts_disable();
			continue;
		}
		if (!is_where_allowed(thread)) {
			interrupts_enable();
			go_where_allowed(thread);
			interrupts_disable();
			continue;
		}
		if (!work_pending() && has_given_way(thread))
			break;
		interrupts_enable();
		thread_yield();
		interrupts_disable();
	}
	thread->fresh = false;
	if (thread->interrupted)
		syscall_was_interrupted(frame, true); /* and the signal was another thread's, or nobody's */
}
