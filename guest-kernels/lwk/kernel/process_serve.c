/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy's half of a process: what it asks for over the channel that is the process, and what it tells. */
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/ikc_channel.h>
#include <lwk/page_alloc.h>
#include <lwk/process.h>
#include <lwk/process_facts.h>
#include <lwk/string.h>
#include <lwk/syscall.h>
#include <lwk/thread.h>
#include <lwk/time.h>
#include <lwk/topology.h>

#define NO_SLOT UINT32_MAX

/* What a channel has of its process. */
struct holding {
	struct process *process; /* NULL: none yet, or none any more; process.c changes it */
	bool let_go; /* of who serves the channel: only to be told of its end may it look at the process */
};

static struct holding *holding_of(struct channel *channel)
{
	return (struct holding *)channel->user;
}

/* The process that the channel keeps from being freed, or NULL. For who serves the channel. */
static struct process *held_by(struct channel *channel)
{
	const struct holding *holding = holding_of(channel);

	return holding->let_go ? NULL : holding->process;
}

/* ---- what the proxy asks for ---- */

/* Those that the proxy names, or all. */
static struct cpu_set cpus_asked_for(const uint64_t *words)
{
	struct cpu_set set = { 0 };
	bool all_of_them = true;

	for (int i = 0; i < IKC_PROCESS_CPU_WORDS; i++) {
		set.words[i] = words[i];
		all_of_them &= !words[i];
	}
	for (unsigned int id = 0; id < cpu_count && all_of_them; id++)
		cpu_set_add(&set, id);
	return set;
}

static int64_t start(struct process *process, const uint64_t *words)
{
	struct cpu_set cpus_allowed = cpus_asked_for(words + 3);
	struct trap_frame frame;
	struct thread *thread;
	uint64_t flags;

	if (process->thread_count || process->ending || words[0] >= IKC_USER_END || words[1] > IKC_USER_END ||
	    words[2] > IKC_USER_END)
		return -EINVAL;
	if (!cpu_set_is_useful(&cpus_allowed))
		return -ENODEV;
	user_frame_init(&frame, words[0], words[1]);
	thread = thread_new(process, &cpus_allowed, &frame);
	if (!thread)
		return -ENOMEM;
	thread->id = process->id;
	process->has_begun = true;
	process->space.heap_start = process->space.heap_end = ALIGN_UP(words[2], PAGE_SIZE);
	flags = spin_lock(&process->lock);
	process->threads[0] = thread;
	process->thread_count = 1;
	spin_unlock(&process->lock, flags);
	channel_serve_on(process->channel, thread->cpu_id);
	return 0;
}

/* *filled: what belongs there is there, and is not to be written to: others may be given it later. */
static int64_t map(struct space *space, const uint64_t *words, uint32_t protection, uint64_t *filled)
{
	static const struct memory_policy policy = { .mode = MEMORY_DEFAULT };
	uint64_t address = words[0], size = words[1];
	int err;

	if (!address)
		address = space_find_gap(space, size);
	err = space_range_check(address, size);
	if (!err && !space_is_free(space, address, address + size))
		err = -EEXIST;
	if (!err)
		*filled = image_use(space, address, address + size, words + 3, protection & ~PROTECTION_WRITE);
	if (!err && !*filled)
		err = space_map(space, address, address + size, protection, &policy);
	return err ? err : (int64_t)address;
}

static int64_t protect(struct space *space, uint64_t address, uint64_t size, uint32_t protection)
{
	int err = space_range_check(address, size);

	if (!err && !space_is_mapped(space, address, address + size))
		err = -ENOMEM;
	if (!err)
		err = space_protect(space, address, address + size, protection);
	return err;
}

/* Only before it runs, when nobody else is in its space. */
static int64_t build(struct process *process, const struct ikc_process_message *message,
		     struct ikc_process_message *reply)
{
	uint32_t protection = message->words[2] & (PROTECTION_READ | PROTECTION_WRITE | PROTECTION_EXECUTE);

	if (process->thread_count || process->ending)
		return -EBUSY;
	if (message->kind == IKC_PROCESS_MAP)
		return map(&process->space, message->words, protection, &reply->words[0]);
	return protect(&process->space, message->words[0], message->words[1], protection);
}

static int64_t place(struct process *process, const struct ikc_process_message *message)
{
	if (process->thread_count || process->ending)
		return -EBUSY;
	return syscall_set_place(process, message->number, message->words[0]);
}

static int64_t create(struct channel *channel, const struct ikc_process_message *message,
		      struct ikc_process_message *reply)
{
	struct process *process;
	uint64_t now = time_ns();

	if (holding_of(channel)->process || holding_of(channel)->let_go)
		return -EBUSY;
	if (message->words[0] != IKC_PROCESS_VERSION)
		return -EPROTO;
	process = process_new(channel, &holding_of(channel)->process);
	if (!process)
		return -ENOMEM;
	process->id = message->words[1];
	process->realtime_offset = message->words[2] - now;
	process->monotonic_offset = message->words[3] - now;
	process->traces = message->words[4] & IKC_PROCESS_TRACES;
	process->look_ns = MIN(message->words[5], (uint64_t)IKC_PROCESS_LOOK_MAX_NS);
	process->began = now;
	process->stack_limit[0] = process->stack_limit[1] = IKC_USER_STACK_SIZE;
	process->partition = channel->peer_id;
	memcpy(process->name, &message->words[6], sizeof(process->name) - 1);
	reply->words[0] = process->space.root;
	reply->words[1] = PROCESS_THREADS_MAX;
	return 0;
}

static int64_t tell_pages(struct ikc_process_message *reply)
{
	for (unsigned int node = 0; node < topology.node_count; node++) {
		struct page_usage usage = page_node_usage(node);

		usage.free_pages += image_pages(node);
		reply->words[0] += usage.free_pages;
		reply->words[1] += usage.total_pages;
		if (node < IKC_PROCESS_NODES)
			reply->words[2 + node] = usage.free_pages;
	}
	return process_count();
}

/* The proxy is done with the process. */
SELDOM static void let_go(struct channel *channel, struct process *process)
{
	holding_of(channel)->let_go = true;
	process_put(process);
}

static int64_t serve(struct channel *channel, const struct ikc_process_message *message,
		     struct ikc_process_message *reply)
{
	struct process *process = held_by(channel);

	if (message->kind == IKC_PROCESS_CREATE)
		return create(channel, message, reply);
	if (message->kind == IKC_PROCESS_PAGES)
		return tell_pages(reply);
	if (!process)
		return -ESRCH;
	switch (message->kind) {
	case IKC_PROCESS_MAP:
	case IKC_PROCESS_PROTECT:
		return build(process, message, reply);
	case IKC_PROCESS_PLACE:
		return place(process, message);
	case IKC_PROCESS_START:
		return start(process, message->words);
	default:
		return -ENOSYS;
	}
}

SELDOM static void take_signal(struct process *process, const struct ikc_process_message *message)
{
	struct signal_cause cause = {
		.code = message->words[0],
		.pid = message->words[1],
		.uid = message->words[2],
		.value = message->words[3],
	};

	signal_by_proxy(process, message->slot, message->number, &cause);
}

/* To what is no question. False: it is one. */
static bool take_statement(struct channel *channel, const struct ikc_process_message *message)
{
	struct process *process = held_by(channel);

	if (message->kind == IKC_PROCESS_RESULT || message->kind == IKC_PROCESS_TELL) {
		if (process && message->slot != NO_SLOT)
			process_take_answer(process, message);
		else if (process && process->asked_to_end && message->kind == IKC_PROCESS_RESULT)
			let_go(channel, process);
		return true;
	}
	if (message->kind == IKC_PROCESS_STOP) {
		if (process)
			signal_set_stopped(process, message->words[0]);
		return true;
	}
	if (message->kind == IKC_PROCESS_SIGNAL) {
		if (process && message->number >= 1 && message->number <= SIGNALS)
			take_signal(process, message);
		return true;
	}
	return false;
}

/* -EAGAIN: when there is room for the answer. */
SELDOM static int answer(struct channel *channel, const struct ikc_process_message *asked)
{
	struct ikc_process_message reply = { .kind = IKC_PROCESS_RESULT, .slot = asked->slot, .life = asked->life };
	int err = channel_wait_for_room(channel, sizeof(reply));

	if (err == -EAGAIN)
		return err;
	reply.number = serve(channel, asked, &reply);
	channel_send(channel, &reply, sizeof(reply));
	if (asked->kind == IKC_PROCESS_START && !reply.number)
		process_begin(held_by(channel), 0); /* its first call does not come before the answer */
	return 0;
}

/* What was lent could still change; nobody lends so little. */
static bool is_whole(const struct channel_message *taken)
{
	const struct ikc_process_message *message = (const struct ikc_process_message *)taken->payload;

	if (taken->lent || taken->length < IKC_PROCESS_SHORT)
		return false;
	if (message->kind == IKC_PROCESS_RESULT || message->kind == IKC_PROCESS_TELL)
		return true;
	return taken->length == sizeof(*message);
}

HOT static int message(struct channel *channel, const struct channel_message *taken)
{
	const struct ikc_process_message *asked = (const struct ikc_process_message *)taken->payload;

	if (!is_whole(taken))
		return 0; /* a stranger's; who waits for an answer to it waits for himself */
	return take_statement(channel, asked) ? 0 : answer(channel, asked);
}

static void writable(struct channel *channel)
{
	struct process *process = held_by(channel);
	uint64_t flags;

	if (!process)
		return;
	flags = spin_lock(&process->lock);
	if (process->wants_room) {
		process->wants_room = false;
		process_wake_all(process);
	}
	spin_unlock(&process->lock, flags);
}

static void ended(struct channel *channel)
{
	struct holding *holding = holding_of(channel);
	struct process *process = process_detach(&holding->process);

	if (process && !holding->let_go)
		process_lose_proxy(process);
}

static const struct channel_calls calls = { .message = message, .writable = writable, .ended = ended };

void process_init(void)
{
	static struct channel_listener listener = {
		.port = IKC_PORT_PROCESS,
		.magic = IKC_PROCESS_MAGIC,
		.packet_size = sizeof(struct ikc_process_message),
		.calls = &calls,
	};

	channel_listen(&listener);
	process_list_init();
}
