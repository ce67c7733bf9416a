/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a pool, what is lent of them, and references and tails of a peer that lies. */
#include "ikc_pool.h"

#include <string.h>

#include "check.h"
#include "ring_pair.h"

#define GENERATION 0x00010001u

static uint32_t pages_used(const struct ikc_pool *pool)
{
	uint32_t used = 0;

	for (uint32_t page = 0; page < IKC_POOL_PAGES; page++)
		used += ikc_pool_is_used(pool, page);
	return used;
}

/* ---- the pool ---- */

static void test_pool_gives_each_page_to_one_at_a_time(void)
{
	uint8_t owner[IKC_POOL_PAGES] = { 0 };
	int first[32];
	uint32_t pages[32] = { 0 }, refused = 0;
	uint64_t random = 5;
	struct ikc_pool pool = { 0 };

	for (uint32_t round = 0; round < 100000; round++) {
		uint32_t i = (uint32_t)(random_next(&random) >> 40) % 32;

		if (pages[i]) {
			for (uint32_t page = 0; page < pages[i]; page++) {
				CHECK_EQ(owner[(uint32_t)first[i] + page], i + 1);
				owner[(uint32_t)first[i] + page] = 0;
			}
			ikc_pool_give(&pool, (uint32_t)first[i], pages[i]);
			pages[i] = 0;
			continue;
		}
		pages[i] = 1 + (uint32_t)(random_next(&random) >> 40) % 40;
		first[i] = ikc_pool_take(&pool, pages[i]);
		if (first[i] == IKC_FULL) {
			pages[i] = 0;
			refused++;
			continue;
		}
		CHECK((uint32_t)first[i] + pages[i] <= IKC_POOL_PAGES);
		for (uint32_t page = 0; page < pages[i]; page++) {
			CHECK_EQ(owner[(uint32_t)first[i] + page], 0);
			owner[(uint32_t)first[i] + page] = (uint8_t)(i + 1);
		}
	}
	CHECK(refused > 1000);
	for (uint32_t i = 0; i < 32; i++)
		ikc_pool_give(&pool, (uint32_t)first[i], pages[i]);
	CHECK_EQ(pages_used(&pool), 0);
}

static void test_pool_is_used_up_to_its_last_page(void)
{
	struct ikc_pool pool = { 0 };

	for (uint32_t page = 0; page < IKC_POOL_PAGES; page++)
		CHECK_EQ(ikc_pool_take(&pool, 1), page);
	CHECK_EQ(ikc_pool_take(&pool, 1), IKC_FULL);
	ikc_pool_give(&pool, 63, 2);
	CHECK_EQ(ikc_pool_take(&pool, 3), IKC_FULL);
	CHECK_EQ(ikc_pool_take(&pool, 2), 63);
	ikc_pool_give(&pool, 0, IKC_POOL_PAGES);
	CHECK_EQ(ikc_pool_take(&pool, IKC_POOL_PAGES), 0);
}

static void test_pool_has_no_room_for_what_it_cannot_hold(void)
{
	struct ikc_pool pool = { 0 };

	CHECK_EQ(ikc_pool_take(&pool, 0), IKC_FULL);
	CHECK_EQ(ikc_pool_take(&pool, IKC_POOL_PAGES + 1), IKC_FULL);
	CHECK_EQ(ikc_pool_take(&pool, UINT32_MAX), IKC_FULL);
	CHECK_EQ(pages_used(&pool), 0);
	CHECK_EQ(ikc_pool_pages_for(0), 0);
	CHECK_EQ(ikc_pool_pages_for(1), 1);
	CHECK_EQ(ikc_pool_pages_for(IKC_PAGE_SIZE), 1);
	CHECK_EQ(ikc_pool_pages_for(IKC_PAGE_SIZE + 1), 2);
	CHECK_EQ(ikc_pool_pages_for(UINT32_MAX), 1 << 20);
}

/* ---- loans ---- */

struct lending {
	struct ring_pair pair;
	struct ikc_pool pool;
	struct ikc_loans loans;
};

static void lending_create(struct lending *lending, uint32_t index)
{
	memset(lending, 0, sizeof(*lending));
	ring_pair_create(&lending->pair, IKC_CHANNEL_SLOTS, index, GENERATION, 2);
	ikc_loans_begin(&lending->loans, &lending->pair.sender);
}

static int lend_pages(struct lending *lending, uint32_t pages)
{
	int first = ikc_pool_take(&lending->pool, pages);
	int result;

	CHECK(first >= 0);
	result = ikc_lend(&lending->loans, &lending->pair.sender, (uint32_t)first,
			  pages * IKC_PAGE_SIZE);
	if (result != IKC_OK)
		ikc_pool_give(&lending->pool, (uint32_t)first, pages);
	return result;
}

static int reap(struct lending *lending)
{
	return ikc_loans_reap(&lending->loans, &lending->pool, &lending->pair.sender);
}

static void take_one(struct lending *lending)
{
	struct ikc_message message;
	uint8_t payload[IKC_MESSAGE_MAX];

	CHECK_EQ(ikc_receive(&lending->pair.receiver, &message, payload, sizeof(payload)), IKC_OK);
	CHECK_EQ(message.to_port, IKC_PACKET_LENT);
}

static void test_lent_pages_come_back_when_the_message_is_taken(void)
{
	struct lending lending;

	lending_create(&lending, 0u - 2);
	for (uint32_t i = 1; i <= 4; i++)
		CHECK_EQ(lend_pages(&lending, i), IKC_OK);
	CHECK_EQ(reap(&lending), IKC_OK);
	CHECK_EQ(pages_used(&lending.pool), 10);
	for (uint32_t i = 1, left = 10; i <= 4; i++) {
		take_one(&lending);
		CHECK_EQ(reap(&lending), IKC_OK);
		left -= i;
		CHECK_EQ(pages_used(&lending.pool), left);
	}
	ring_pair_destroy(&lending.pair);
}

static void test_lent_pages_come_back_when_the_channel_ends(void)
{
	struct lending lending;

	lending_create(&lending, 7);
	for (uint32_t i = 0; i < IKC_CHANNEL_SLOTS; i++)
		CHECK_EQ(lend_pages(&lending, 1 + i % 3), IKC_OK);
	CHECK_EQ(lend_pages(&lending, 1), IKC_FULL);
	for (uint32_t i = 0; i < 10; i++)
		take_one(&lending);
	ikc_loans_end(&lending.loans, &lending.pool, &lending.pair.sender);
	CHECK_EQ(pages_used(&lending.pool), 0);
	ring_pair_destroy(&lending.pair);
}

/* Whatever tail the receiver has told and then tells: pages come back once, or it is found out. */
static void check_tails(uint32_t sent, uint32_t first_tail, uint32_t second_tail)
{
	struct lending lending;
	const uint32_t base = 0u - 5;

	lending_create(&lending, base);
	for (uint32_t i = 0; i < sent; i++)
		CHECK_EQ(lend_pages(&lending, 1), IKC_OK);
	lending.pair.receiver.own->tail = base + first_tail;
	CHECK_EQ(reap(&lending), first_tail <= sent ? IKC_OK : IKC_BAD_TAIL);
	if (first_tail <= sent) {
		CHECK_EQ(pages_used(&lending.pool), sent - first_tail);
		lending.pair.receiver.own->tail = base + second_tail;
		CHECK_EQ(reap(&lending), second_tail >= first_tail && second_tail <= sent
						 ? IKC_OK
						 : IKC_BAD_TAIL);
	}
	ikc_loans_end(&lending.loans, &lending.pool, &lending.pair.sender);
	CHECK_EQ(pages_used(&lending.pool), 0);
	ring_pair_destroy(&lending.pair);
}

static void test_receiver_that_goes_back_with_its_tail_is_found_out(void)
{
	for (uint32_t sent = 0; sent <= IKC_CHANNEL_SLOTS; sent += 8)
		for (uint32_t first = 0; first <= sent + 1; first += 3)
			for (uint32_t second = 0; second <= sent + 1; second += 2)
				check_tails(sent, first, second);
	check_tails(3, 2, 0u - 1);
	check_tails(3, 2, 1u << 31);
	check_tails(3, 1u << 31, 0);
	check_tails(3, UINT32_MAX, 0);
}

/* ---- references ---- */

static const uint8_t *lent(const uint8_t *pool, uint64_t offset, uint32_t length, uint32_t *got)
{
	struct ikc_reference reference = { offset, length, ~0u };
	struct ikc_message message = { sizeof(reference), IKC_PACKET_LENT, 0 };

	*got = 77;
	return ikc_lent(pool, &message, &reference, got);
}

static void test_reference_beyond_the_pool_is_refused(void)
{
	static const uint64_t offsets[] = {
		0, 1, 8, IKC_PAGE_SIZE, IKC_POOL_SIZE - 1, IKC_POOL_SIZE, IKC_POOL_SIZE + 1, INT32_MAX,
		UINT32_MAX - 1, UINT32_MAX, 1ull << 32, (1ull << 32) + 1, INT64_MAX, UINT64_MAX - 1,
		UINT64_MAX,
	};
	static const uint8_t pool[IKC_POOL_SIZE];

	for (uint32_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		for (uint32_t j = 0; j < sizeof(offsets) / sizeof(offsets[0]); j++) {
			uint32_t length = (uint32_t)offsets[j], got;
			const uint8_t *at = lent(pool, offsets[i], length, &got);
			__extension__ unsigned __int128 end =
				(unsigned __int128)offsets[i] + length;

			CHECK_EQ(at != NULL, end <= IKC_POOL_SIZE);
			CHECK_EQ(got, at ? length : 77);
			CHECK(!at || at == pool + offsets[i]);
		}
	}
}

static void test_reference_of_another_length_is_refused(void)
{
	static const uint8_t pool[IKC_POOL_SIZE];
	const uint32_t right = sizeof(struct ikc_reference);
	uint8_t *payload = guarded_end(right); /* no more of it may be read than there is */
	uint32_t got;

	for (uint32_t length = 0; length <= IKC_MESSAGE_MAX; length++) {
		struct ikc_message message = { length, IKC_PACKET_LENT, 0 };
		bool shorter = length < right;

		CHECK_EQ(ikc_lent(pool, &message, payload + (shorter ? right - length : 0), &got) != NULL,
			 length == right);
	}
}

int main(void)
{
	RUN(test_pool_gives_each_page_to_one_at_a_time);
	RUN(test_pool_is_used_up_to_its_last_page);
	RUN(test_pool_has_no_room_for_what_it_cannot_hold);
	RUN(test_lent_pages_come_back_when_the_message_is_taken);
	RUN(test_lent_pages_come_back_when_the_channel_ends);
	RUN(test_receiver_that_goes_back_with_its_tail_is_found_out);
	RUN(test_reference_beyond_the_pool_is_refused);
	RUN(test_reference_of_another_length_is_refused);
	return 0;
}
