/* SPDX-License-Identifier: Apache-2.0 */
/* What the LWK has told of itself. */
#include "facts.h"

#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct facts *of_slot[IKC_PROCESS_THREADS]; /* under it */

static bool add(struct facts **held, const struct ikc_process_message *message)
{
	size_t count = *held ? (*held)->count : 0;

	if (count == FACTS_MAX)
		return true;
	if (!(count & (count - 1))) { /* room for twice as many */
		size_t room = count ? 2 * count : 1;
		struct facts *grown = realloc(*held, sizeof(**held) + room * sizeof((*held)->all[0]));

		if (!grown)
			return false;
		*held = grown;
	}
	(*held)->all[count] = *message;
	(*held)->count = count + 1;
	return true;
}

bool facts_add(const struct ikc_process_message *message)
{
	bool added;

	if (message->slot >= IKC_PROCESS_THREADS)
		return false;
	pthread_mutex_lock(&lock);
	added = add(&of_slot[message->slot], message);
	pthread_mutex_unlock(&lock);
	return added;
}

struct facts *facts_take(uint32_t slot)
{
	struct facts *taken = NULL;

	if (slot >= IKC_PROCESS_THREADS)
		return NULL;
	pthread_mutex_lock(&lock);
	taken = of_slot[slot];
	of_slot[slot] = NULL;
	pthread_mutex_unlock(&lock);
	return taken;
}

const uint64_t *facts_next(const struct facts *facts, enum ikc_process_fact kind, const uint64_t *previous)
{
	size_t at = 0;

	if (!facts)
		return NULL;
	if (previous)
		at = ((const char *)previous - (const char *)facts->all[0].words) / sizeof(facts->all[0]) + 1;
	for (; at < facts->count; at++)
		if (facts->all[at].number == kind)
			return facts->all[at].words;
	return NULL;
}

bool facts_have(const struct facts *facts, uint64_t set)
{
	unsigned int kind;

	for (kind = 0; kind < IKC_FACT_KINDS; kind++)
		if (set >> kind & 1 && !facts_next(facts, kind, NULL))
			return false;
	return true;
}
