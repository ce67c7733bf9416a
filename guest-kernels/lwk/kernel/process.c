/* SPDX-License-Identifier: Apache-2.0 */
/* The life of processes, their threads, and what these ask of their proxies. */
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/futex.h>
#include <lwk/ikc_channel.h>
#include <lwk/ikc_status.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/process.h>
#include <lwk/signal.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

#define NO_SLOT UINT32_MAX
#define LOOKS 32 /* some hundred instructions each, between two pauses, which under TCG leave the CPU's loop */

_Static_assert(sizeof(struct process) <= PAGE_SIZE, "a process is one page");
_Static_assert(PROCESS_THREADS_MAX * sizeof(struct thread *) <= PAGE_SIZE, "its table is another");

static struct spinlock all_lock = SPINLOCK_INIT;
static struct process *all;
static uint32_t all_count;

/* ---- there, and not there any more ---- */

static void free_if_any(paddr_t page)
{
	if (page)
		page_free(page, 0);
}

struct process *process_new(struct channel *channel, struct process **holder)
{
	paddr_t page = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	paddr_t table = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	paddr_t signals = page_alloc(0, NODE_LOCAL, PAGE_ZERO);
	struct process *process;
	uint64_t flags;

	if (!page || !table || !signals || space_init(&((struct process *)phys_to_virt(page))->space)) {
		free_if_any(page);
		free_if_any(table);
		free_if_any(signals);
		return NULL;
	}
	process = phys_to_virt(page);
	process->threads = phys_to_virt(table);
	process->signals = phys_to_virt(signals);
	process->channel = channel;
	process->holder = holder;
	process->references = 1;
	flags = spin_lock(&all_lock);
	*holder = process;
	process->next = all;
	all = process;
	all_count++;
	spin_unlock(&all_lock, flags);
	ikc_status_use();
	return process;
}

void process_get(struct process *process)
{
	__atomic_add_fetch(&process->references, 1, __ATOMIC_RELAXED);
}

/*
 * The proxy is told last: it finds the memory given back, and closes the channel. Under the lock, because ended() may be on its
 * way on another CPU, and the channel somebody else's as soon as it has returned.
 */
static void forget(struct process *process)
{
	static const struct ikc_process_message gone = { .kind = IKC_PROCESS_GONE, .slot = NO_SLOT };
	uint64_t flags = spin_lock(&all_lock);
	struct process **link = &all;

	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	all_count--;
	if (process->channel) {
		*process->holder = NULL;
		if (channel_send(process->channel, &gone, sizeof(gone)))
			channel_close(process->channel); /* no room: it hears that instead */
	}
	spin_unlock(&all_lock, flags);
}

void process_put(struct process *process)
{
	if (__atomic_sub_fetch(&process->references, 1, __ATOMIC_ACQ_REL))
		return;
	if (!process->has_begun)
		image_forget(&process->space, 0, IKC_USER_END); /* it may not be filled */
	space_destroy(&process->space);
	page_free(virt_to_phys(process->threads), 0);
	page_free(virt_to_phys(process->signals), 0);
	forget(process);
	page_free(virt_to_phys(process), 0);
	ikc_status_use();
}

/* ---- to the proxy ---- */

/* Under the lock. 0, -EAGAIN: no room, and a thread is woken when there is; -ESRCH. */
HOT static int try_tell_locked(struct process *process, const struct ikc_process_message *message, bool is_short)
{
	int err = -ESRCH;

	if (process->channel)
		err = channel_send(process->channel, message, is_short ? IKC_PROCESS_SHORT : sizeof(*message));
	if (err == -EAGAIN)
		process->wants_room = true;
	return err && err != -EAGAIN ? -ESRCH : err;
}

static int try_tell(struct process *process, const struct ikc_process_message *message, bool is_short)
{
	uint64_t flags = spin_lock(&process->lock);
	int err = try_tell_locked(process, message, is_short);

	spin_unlock(&process->lock, flags);
	return err;
}

int process_tell(const struct ikc_process_message *message)
{
	struct process *process = this_thread()->process;
	int err;

	while ((err = try_tell(process, message, false)) == -EAGAIN)
		thread_wait();
	return err;
}

/* The proxy goes on until what it does is interrupted or done: it answers in any case. */
static void interrupt(struct thread *thread)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_INTERRUPT,
		.slot = thread->slot,
		.life = thread->life,
	};

	thread->interrupted = true;
	process_tell(&message);
}

/* Here. */
static bool others_can_run(void)
{
	return !work_list_is_empty(&this_cpu()->threads);
}

static bool is_answered(const struct thread *thread)
{
	return __atomic_load_n(&thread->answered, __ATOMIC_ACQUIRE);
}

/* Under the lock. While it is not awake the proxy rings for each answer. */
static void attend(struct process *process, bool awake)
{
	if (process->look_ns && process->channel)
		channel_attend(process->channel, awake);
}

/* Under the lock. Nobody looks for its answer. */
static void fall_asleep(struct process *process, struct thread *thread)
{
	if (!thread->waits || thread->sleeps)
		return;
	thread->sleeps = true;
	if (!process->asleep++)
		attend(process, false);
}

/* Under the lock. */
static void stop_sleeping(struct process *process, struct thread *thread)
{
	if (!thread->sleeps)
		return;
	thread->sleeps = false;
	if (!--process->asleep)
		attend(process, true);
}

/* Under the lock. The CPU is awake: before it sleeps it looks, and finds the answers of all that wait here. */
static void stop_sleeping_here(struct process *process)
{
	struct cpu *cpu = this_cpu();

	if (!cpu->waiting_asleep)
		return;
	cpu->waiting_asleep = false;
	for (struct thread *thread = cpu->waiting; thread; thread = thread->next_waiting)
		if (thread->process == process)
			stop_sleeping(process, thread);
}

/* Under the lock. It has its answer, or does without. */
static void stop_waiting(struct process *process, struct thread *thread)
{
	thread->waits = false;
	stop_sleeping(process, thread);
}

/* Who finds the answer from here on wakes the thread; if it sleeps, a doorbell has to. */
static void stop_looking(struct thread *thread, bool sleeps)
{
	uint64_t flags = spin_lock(&thread->process->lock);

	thread->looks = false;
	if (sleeps)
		fall_asleep(thread->process, thread);
	spin_unlock(&thread->process->lock, flags);
}

/* Others have the CPU, and look when they ask; should it have nothing to do, process_fall_asleep() finds the thread here. */
HOT static void wait_among_others(struct thread *thread)
{
	struct cpu *cpu = this_cpu();

	thread->next_waiting = cpu->waiting;
	thread->link_waiting = &cpu->waiting;
	if (cpu->waiting)
		cpu->waiting->link_waiting = &thread->next_waiting;
	cpu->waiting = thread;
	cpu->waiting_asleep = false;
	thread_wait();
	*thread->link_waiting = thread->next_waiting;
	if (thread->next_waiting)
		thread->next_waiting->link_waiting = thread->link_waiting;
}

void process_fall_asleep(void)
{
	struct cpu *cpu = this_cpu();

	cpu->waiting_asleep = true;
	for (struct thread *thread = cpu->waiting; thread; thread = thread->next_waiting)
		stop_looking(thread, true);
}

/* A process that begins asks for what takes longer than most. */
static uint64_t look_time(const struct process *process)
{
	return process->lives < IKC_PROCESS_BEGINNING ? IKC_PROCESS_BEGINNING_LOOKS * process->look_ns : process->look_ns;
}

/* Some looks at the channel, and each time one at what others may have found there. True: it is enough. */
HOT static bool look_briefly(const struct thread *thread, struct channel *channel)
{
	_Alignas(uint64_t) uint8_t buffer[IKC_MESSAGE_MAX];

	for (int i = 0; i < LOOKS; i++) {
		channel_look(channel, buffer);
		if (is_answered(thread) || others_can_run())
			return true;
		if (work_pending())
			thread_yield();
	}
	cpu_relax();
	return false;
}

/*
 * While nobody else can run here. Other threads of the process that look find our answer too. Who has looked for long enough
 * sees to it that the proxy does so as well.
 */
static void look_for_answer(struct thread *thread, struct channel *channel)
{
	uint64_t deadline = 0; /* the clock is dear: not before the first looks */
	bool late = false;

	while (!late && !look_briefly(thread, channel)) {
		if (!deadline)
			deadline = deadline_after(look_time(thread->process));
		late = deadline_passed(deadline);
	}
	if (late)
		channel_urge(channel);
	if (!is_answered(thread))
		stop_looking(thread, late);
}

static void await_answer(struct thread *thread)
{
	while (!is_answered(thread) && !process_is_ending(thread->process)) {
		if (!thread->interrupted && signal_is_due(thread))
			interrupt(thread);
		else
			wait_among_others(thread);
	}
}

/* 0, with *looked_at if the thread is to look for the answer; -EAGAIN or -ESRCH. */
static int ask(struct thread *thread, struct ikc_process_message *message, bool is_short, struct channel **looked_at)
{
	struct process *process = thread->process;
	uint64_t flags = spin_lock(&process->lock);
	int err;

	message->slot = thread->slot;
	message->life = thread->life = ++process->lives;
	thread->answered = false;
	thread->wants_facts = 0;
	thread->waits = true;
	*looked_at = process->look_ns && !others_can_run() ? process->channel : NULL;
	thread->looks = *looked_at;
	stop_sleeping_here(process);
	err = try_tell_locked(process, message, is_short);
	if (err)
		thread->looks = false;
	spin_unlock(&process->lock, flags);
	return err;
}

/* It waits for no answer any more; one may have come just then. */
static void give_up(struct thread *thread)
{
	uint64_t flags = spin_lock(&thread->process->lock);

	stop_waiting(thread->process, thread);
	spin_unlock(&thread->process->lock, flags);
}

HOT int64_t process_ask(struct ikc_process_message *message, bool is_short)
{
	struct thread *thread = this_thread();
	struct channel *channel;
	int err = ask(thread, message, is_short, &channel);

	if (!err && channel)
		look_for_answer(thread, channel);
	for (; err == -EAGAIN; err = try_tell(thread->process, message, is_short))
		thread_wait();
	if (!err)
		await_answer(thread);
	if (!is_answered(thread))
		give_up(thread);
	return thread->answered ? thread->answer : -ESRCH;
}

/* ---- the end ---- */

/* Under the lock. Who runs in user mode is made to look; who waits looks when he is woken. */
void process_wake_all(struct process *process)
{
	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX; slot++)
		if (process->threads[slot])
			thread_wake(process->threads[slot]);
}

void process_end(struct process *process, uint32_t status)
{
	uint64_t flags = spin_lock(&process->lock);

	if (!process->ending) {
		process->status = status;
		__atomic_store_n(&process->ending, true, __ATOMIC_RELEASE);
		process_wake_all(process);
	}
	spin_unlock(&process->lock, flags);
}

/* True: it is the last one, and is still in the table. The others are woken by nobody any more. */
static bool leave_table(struct process *process, struct thread *thread)
{
	uint64_t flags = spin_lock(&process->lock);
	bool last = process->thread_count == 1;

	if (!last) {
		process->thread_count--;
		process->threads[thread->slot] = NULL;
		signal_pass_on(thread);
		process->cpu_ns += thread_cpu_time(thread);
		process->offloads += thread->offloads;
	}
	spin_unlock(&process->lock, flags);
	return last;
}

static void leave_table_last(struct process *process, struct thread *thread)
{
	uint64_t flags = spin_lock(&process->lock);

	process->thread_count = 0;
	process->threads[thread->slot] = NULL;
	attend(process, false);
	spin_unlock(&process->lock, flags);
}

/* Not by process_ask(): the answer comes to no thread, but to the channel. */
static void tell_end(struct process *process)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_ENDED,
		.slot = NO_SLOT,
		.words = { process->status },
	};

	process->asked_to_end = true;
	process_tell(&message);
}

static void clear_thread_id(const struct thread *thread)
{
	uint32_t zero = 0;

	if (thread->clear_on_exit && !copy_to_user(thread->clear_on_exit, &zero, sizeof(zero)))
		futex_wake(thread->process, thread->clear_on_exit, 1, FUTEX_ANY);
}

/* The last one stays in the table while it may have to wait for room. */
_Noreturn void process_leave(void)
{
	struct thread *thread = this_thread();
	struct process *process = thread->process;

	thread_begin_end();
	futex_give_up_list(thread);
	clear_thread_id(thread);
	if (leave_table(process, thread)) {
		process_end(process, thread->exit_status);
		tell_end(process);
		leave_table_last(process, thread);
	} else {
		futex_owner_ended(process, thread->id);
	}
	thread_end();
}

/* ---- its threads ---- */

/* Linux gives its threads numbers up to 2^22: one of ours is nobody else's. */
static uint32_t new_thread_id(void)
{
	static uint32_t last = 1 << 22;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED) & INT32_MAX;
}

int process_add(struct process *process, struct thread *thread)
{
	uint64_t flags = spin_lock(&process->lock);
	int err = process->ending ? -ESRCH : -EAGAIN;

	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX && err == -EAGAIN; slot++) {
		if (process->threads[slot])
			continue;
		thread->slot = slot;
		thread->id = new_thread_id();
		process->threads[slot] = thread;
		process->thread_count++;
		err = 0;
	}
	spin_unlock(&process->lock, flags);
	return err;
}

void process_begin(struct process *process, uint32_t slot)
{
	uint64_t flags = spin_lock(&process->lock);

	attend(process, !process->asleep);
	if (process->threads[slot])
		thread_wake(process->threads[slot]);
	spin_unlock(&process->lock, flags);
}

/* Under the lock. NULL: there is none. */
static struct thread *find_thread(struct process *process, uint32_t id)
{
	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX; slot++)
		if (process->threads[slot] && process->threads[slot]->id == id)
			return process->threads[slot];
	return NULL;
}

int process_signal_thread(struct process *process, uint32_t id, uint32_t number, const struct signal_cause *cause)
{
	struct thread *thread;
	uint64_t flags;
	int err;

	if (number == SIGKILL) {
		process_end(process, SIGKILL);
		return 0;
	}
	flags = spin_lock(&process->lock);
	thread = find_thread(process, id);
	err = thread ? 0 : -ESRCH;
	if (thread && number)
		err = signal_thread(thread, number, cause);
	spin_unlock(&process->lock, flags);
	return err;
}

uint64_t process_cpu_time(struct process *process)
{
	uint64_t flags = spin_lock(&process->lock), sum = process->cpu_ns;

	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX; slot++)
		if (process->threads[slot])
			sum += thread_cpu_time(process->threads[slot]);
	spin_unlock(&process->lock, flags);
	return sum;
}

int process_get_cpus(struct process *process, uint32_t id, struct cpu_set *set)
{
	uint64_t flags = spin_lock(&process->lock);
	const struct thread *thread = find_thread(process, id);

	if (thread)
		*set = thread->cpus;
	spin_unlock(&process->lock, flags);
	return thread ? 0 : -ESRCH;
}

/* It goes there when it next comes by on its way to user mode. */
int process_set_cpus(struct process *process, uint32_t id, const struct cpu_set *set)
{
	uint64_t flags = spin_lock(&process->lock);
	struct thread *thread = find_thread(process, id);

	if (thread) {
		thread->cpus = *set;
		thread_wake(thread);
	}
	spin_unlock(&process->lock, flags);
	return thread ? 0 : -ESRCH;
}

int process_get_schedule(struct process *process, uint32_t id, struct thread_schedule *schedule)
{
	uint64_t flags = spin_lock(&process->lock);
	const struct thread *thread = find_thread(process, id);

	if (thread)
		*schedule = thread->schedule;
	spin_unlock(&process->lock, flags);
	return thread ? 0 : -ESRCH;
}

int process_set_schedule(struct process *process, uint32_t id, const struct thread_schedule *schedule)
{
	uint64_t flags = spin_lock(&process->lock);
	struct thread *thread = find_thread(process, id);

	if (thread)
		thread->schedule = *schedule;
	spin_unlock(&process->lock, flags);
	return thread ? 0 : -ESRCH;
}

HOT void process_take_answer(struct process *process, const struct ikc_process_message *message)
{
	uint64_t flags = spin_lock(&process->lock);
	struct thread *thread = message->slot < PROCESS_THREADS_MAX ? process->threads[message->slot] : NULL;

	if (thread && thread->waits && thread->life == message->life) {
		thread->answer = message->number;
		if (message->kind == IKC_PROCESS_TELL)
			thread->wants_facts = message->number;
		stop_waiting(process, thread);
		__atomic_store_n(&thread->answered, true, __ATOMIC_RELEASE);
		if (!thread->looks)
			thread_wake(thread);
	}
	spin_unlock(&process->lock, flags);
}

/* ---- without its proxy ---- */

uint32_t process_count(void)
{
	return __atomic_load_n(&all_count, __ATOMIC_RELAXED);
}

void process_visit(void (*visit)(struct process *process, void *context), void *context)
{
	uint64_t flags = spin_lock(&all_lock);

	for (struct process *process = all; process; process = process->next)
		visit(process, context);
	spin_unlock(&all_lock, flags);
}

struct process *process_detach(struct process **holder)
{
	uint64_t flags = spin_lock(&all_lock);
	struct process *process = *holder;

	if (process) {
		uint64_t inner = spin_lock(&process->lock);

		process->channel = NULL;
		spin_unlock(&process->lock, inner);
	}
	*holder = NULL;
	spin_unlock(&all_lock, flags);
	return process;
}

/* The channel still holds it. */
void process_lose_proxy(struct process *process)
{
	uint64_t flags;

	process_end(process, SIGKILL);
	flags = spin_lock(&process->lock);
	process_wake_all(process); /* also who waits for room */
	spin_unlock(&process->lock, flags);
	process_put(process);
}
