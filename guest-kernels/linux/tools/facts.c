/* SPDX-License-Identifier: Apache-2.0 */
/* What the LWK has told of itself. */
#include "facts.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For what other workers have taken: they have it already, and keep it as soon as they run. */
#define KEPT_WITHIN_S 10

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t kept = PTHREAD_COND_INITIALIZER;
static struct facts *of_slot[IKC_PROCESS_THREADS]; /* under the lock */

static bool make_room(struct facts **held, size_t place)
{
	size_t had = *held ? (*held)->room : 0, room = had ? had : 1;
	struct facts *grown;

	while (room <= place)
		room *= 2;
	if (room == had)
		return true;
	grown = realloc(*held, sizeof(**held) + room * sizeof(grown->all[0]));
	if (!grown)
		return false;
	if (!had)
		grown->count = 0;
	memset(&grown->all[had], 0, (room - had) * sizeof(grown->all[0]));
	grown->room = room;
	*held = grown;
	return true;
}

static bool add(struct facts **held, const struct ikc_process_message *message)
{
	if (message->life >= FACTS_MAX)
		return true;
	if (!make_room(held, message->life))
		return false;
	(*held)->count += !(*held)->all[message->life].kind;
	(*held)->all[message->life] = *message;
	return true;
}

bool facts_add(const struct ikc_process_message *message)
{
	bool added;

	if (message->slot >= IKC_PROCESS_THREADS)
		return false;
	pthread_mutex_lock(&lock);
	added = add(&of_slot[message->slot], message);
	pthread_cond_broadcast(&kept);
	pthread_mutex_unlock(&lock);
	return added;
}

struct facts *facts_take(uint32_t slot, uint64_t sent)
{
	struct facts *taken;
	struct timespec until;
	int error = 0;

	if (slot >= IKC_PROCESS_THREADS)
		return NULL;
	if (sent > FACTS_MAX)
		sent = FACTS_MAX;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += KEPT_WITHIN_S;
	pthread_mutex_lock(&lock);
	while (!error && sent > (of_slot[slot] ? of_slot[slot]->count : 0))
		error = pthread_cond_timedwait(&kept, &lock, &until);
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
	for (; at < facts->room; at++)
		if (facts->all[at].kind && facts->all[at].number == kind)
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
