/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be told of signals that are pending. */
#include <lwk/signal_queue.h>
#include <lwk/string.h>

_Static_assert(sizeof(struct signal_queue) <= PAGE_SIZE, "a queue is one page");

bool signal_queue_add(struct signal_queue *queue, const struct thread *thread, uint32_t number,
		      const struct signal_cause *cause)
{
	if (queue->count == SIGNAL_QUEUE_MAX)
		return false;
	queue->signals[queue->count++] = (struct queued_signal){ thread, number, *cause };
	return true;
}

/* From one on; the count: there is none. */
static uint32_t find(const struct signal_queue *queue, uint32_t from, const struct thread *thread, uint64_t set)
{
	while (from < queue->count &&
	       (queue->signals[from].thread != thread || !(SIGNAL_BIT(queue->signals[from].number) & set)))
		from++;
	return from;
}

static void remove(struct signal_queue *queue, uint32_t at)
{
	queue->count--;
	memmove(&queue->signals[at], &queue->signals[at + 1], (queue->count - at) * sizeof(queue->signals[0]));
}

bool signal_queue_take(struct signal_queue *queue, const struct thread *thread, uint32_t number,
		       struct signal_cause *cause)
{
	uint32_t at = find(queue, 0, thread, SIGNAL_BIT(number));

	*cause = (struct signal_cause){ 0 };
	if (at == queue->count)
		return false;
	*cause = queue->signals[at].cause;
	remove(queue, at);
	return find(queue, at, thread, SIGNAL_BIT(number)) < queue->count;
}

void signal_queue_drop(struct signal_queue *queue, const struct thread *thread, uint64_t set)
{
	uint32_t at = 0;

	while ((at = find(queue, at, thread, set)) < queue->count)
		remove(queue, at);
}
