/* SPDX-License-Identifier: Apache-2.0 */
/* A list of all processes, for whoever asks by a message: channels may all be in use, by these very processes. */
#include <lwk/errno.h>
#include <lwk/ikc.h>
#include <lwk/process.h>
#include <lwk/process_facts.h>
#include <lwk/string.h>
#include <lwk/thread.h>

struct answer {
	struct ikc_process_list list;
	struct ikc_process_entry entries[IKC_PROCESS_LIST_MAX];
};

_Static_assert(sizeof(struct answer) <= IKC_MESSAGE_MAX, "fits a message");

/* With the process's lock. Without threads it may have no table of them any more. */
static void describe_threads(const struct process *process, struct ikc_process_entry *entry)
{
	for (uint32_t slot = 0; slot < PROCESS_THREADS_MAX && process->thread_count; slot++) {
		const struct thread *thread = process->threads[slot];

		if (!thread)
			continue;
		entry->cpu_ns += thread_cpu_time(thread);
		entry->offloads += thread->offloads;
		if (thread->cpu_id < 64 * IKC_PROCESS_CPU_WORDS)
			entry->cpus[thread->cpu_id / 64] |= 1ul << thread->cpu_id % 64;
	}
}

static void describe(struct process *process, void *context)
{
	struct answer *answer = context;
	struct ikc_process_entry *entry = &answer->entries[answer->list.count];
	uint64_t flags;

	if (answer->list.total++ < answer->list.skip || answer->list.count == IKC_PROCESS_LIST_MAX)
		return;
	*entry = (struct ikc_process_entry){
		.id = process->id,
		.partition = process->partition,
		.ending = process_is_ending(process),
		.pages = process->space.page_count,
	};
	memcpy(entry->name, process->name, sizeof(entry->name));
	flags = spin_lock(&process->lock);
	entry->threads = process->thread_count;
	entry->cpu_ns = process->cpu_ns;
	entry->offloads = process->offloads;
	describe_threads(process, entry);
	spin_unlock(&process->lock, flags);
	answer->list.count++;
}

static int receive(uint32_t peer, const struct ikc_message *message, const void *payload)
{
	static struct answer answer; /* CPU 0's: one at a time */
	struct ikc_process_list_request request;

	if (message->length != sizeof(request) || message->from_port < IKC_PORT_FIRST_USER)
		return 0;
	memcpy(&request, payload, sizeof(request));
	if (request.magic != IKC_PROCESS_MAGIC)
		return 0;
	answer.list = (struct ikc_process_list){ .magic = IKC_PROCESS_MAGIC, .skip = request.skip };
	process_visit(describe, &answer);
	return ikc_send_message(peer, IKC_PORT_PROCESS, message->from_port, &answer,
				sizeof(answer.list) + answer.list.count * sizeof(answer.entries[0]));
}

void process_list_init(void)
{
	static struct ikc_listener listener = { .port = IKC_PORT_PROCESS, .receive = receive };

	ikc_listen(&listener);
}
