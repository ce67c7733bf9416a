/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool. Who finds no room asks all peers to ring when they take what they were lent, and is
 * called when some of that came back.
 */
#include <lwk/errno.h>
#include <lwk/ikc_channel_serve.h>
#include <lwk/ikc_local.h>
#include <lwk/ikc_pool.h>
#include <lwk/spinlock.h>

static struct spinlock lock = SPINLOCK_INIT; /* the innermost but the log's */

/* under `lock` */
static struct ikc_pool pool;
static bool wanted;

static int take(uint32_t length)
{
	uint64_t flags = spin_lock(&lock);
	int first = ikc_pool_take(&pool, ikc_pool_pages_for(length));

	wanted |= first == IKC_FULL;
	spin_unlock(&lock, flags);
	return first == IKC_FULL ? -EAGAIN : first;
}

static void wake(struct channel *channel)
{
	if (!__atomic_exchange_n(&channel->waits_for_pool, false, __ATOMIC_ACQ_REL))
		return;
	channel_set_flag(&channel->call_again);
	channel_look_soon(channel);
}

/* Ends what spin_lock(&lock) began; then calls those that wait, if anything came back. */
static void unlock(uint64_t flags, bool came_back)
{
	bool call = came_back && wanted;

	wanted &= !call;
	spin_unlock(&lock, flags);
	if (call)
		for_each_ikc_peer(peer)
			for (unsigned int i = 0; i < IKC_CHANNELS; i++)
				wake(&peer->ends[i]);
}

static void recall_all(void)
{
	for_each_ikc_peer(peer)
		for (unsigned int i = 0; i < IKC_CHANNELS; i++)
			channel_recall_loans(&peer->ends[i]);
}

int ikc_pool_claim(uint32_t length, struct channel *channel)
{
	int first;

	if (length > IKC_POOL_SIZE)
		return -EMSGSIZE;
	if (!length)
		return 0; /* no page, and none comes back */
	first = take(length);
	if (first >= 0)
		return first;
	if (channel)
		channel_set_flag(&channel->waits_for_pool);
	recall_all();
	return take(length);
}

void ikc_pool_release(uint32_t first, uint32_t length)
{
	uint64_t flags = spin_lock(&lock);

	ikc_pool_give(&pool, first, ikc_pool_pages_for(length));
	unlock(flags, true);
}

void *ikc_pool_page(uint32_t first)
{
	return ikc_local.partition->pool + (uint64_t)first * IKC_PAGE_SIZE;
}

int ikc_pool_reap(struct ikc_loans *loans, const struct ikc_sender *sender)
{
	uint32_t settled = loans->settled;
	uint64_t flags = spin_lock(&lock);
	int result = ikc_loans_reap(loans, &pool, sender);

	unlock(flags, loans->settled != settled);
	return result == IKC_OK ? 0 : -EPROTO;
}

void ikc_pool_end(struct ikc_loans *loans, const struct ikc_sender *sender)
{
	uint64_t flags = spin_lock(&lock);

	ikc_loans_end(loans, &pool, sender);
	unlock(flags, true);
}
