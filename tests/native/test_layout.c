/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region as a whole: its parts do not overlap, it holds them all, and a wrong header is named.
 */
#include "region_pair.h"

#include <string.h>

#include "check.h"

static void test_layout_parts_do_not_overlap(void)
{
	enum { COUNT = 3 };
	struct guarded memory = region_create(COUNT);
	uint8_t *base = memory.at[0];
	uint64_t marked = IKC_PAGE_SIZE;
	struct ikc_map map = map_of(&memory, 0);

	memset(base + IKC_PAGE_SIZE, 0, memory.size - IKC_PAGE_SIZE);
	for (uint32_t i = 0; i < COUNT; i++) {
		memset(ikc_partition_at(&map, i), 1, sizeof(struct ikc_partition));
		marked += sizeof(struct ikc_partition);
		for (uint32_t j = 0; j < COUNT; j++) {
			memset(ikc_half_at(&map, i, j), 1, sizeof(struct ikc_half));
			marked += sizeof(struct ikc_half);
		}
	}
	CHECK_EQ(marked, memory.size);
	for (uint64_t at = IKC_PAGE_SIZE; at < memory.size; at++)
		CHECK_EQ(base[at], 1);
	guarded_destroy(&memory);
}

static void test_layout_gives_each_writer_pages_of_its_own(void)
{
	CHECK_EQ(offsetof(struct ikc_partition, identity) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, mailbox) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, status) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, report) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, log) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, trace) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(offsetof(struct ikc_partition, pool) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(sizeof(struct ikc_partition) % IKC_PAGE_SIZE, 0);
	CHECK_EQ(sizeof(struct ikc_half) % IKC_PAGE_SIZE, 0);
}

static void test_layout_keeps_words_of_a_cursor_on_lines_of_their_own(void)
{
	CHECK_EQ(offsetof(struct ikc_cursor, tail) - offsetof(struct ikc_cursor, head), 64);
	CHECK_EQ(sizeof(struct ikc_cursor), 4 * 64);
	CHECK_EQ(offsetof(struct ikc_half, cursors) % 64, 0);
	CHECK_EQ(offsetof(struct ikc_half, counters) % 64, 0);
	CHECK_EQ(offsetof(struct ikc_half, control) % sizeof(struct ikc_slot), 0);
	CHECK_EQ(offsetof(struct ikc_half, data) % sizeof(struct ikc_slot), 0);
}

/* No two channels share a line, and no slot crosses one. */
static void test_layout_keeps_channels_apart(void)
{
	CHECK_EQ(offsetof(struct ikc_half, channels) % 64, 0);
	CHECK_EQ(sizeof(struct ikc_channel), 64);
	CHECK_EQ(offsetof(struct ikc_half, channel_cursors) % 64, 0);
	CHECK_EQ(offsetof(struct ikc_half, channel_slots) % sizeof(struct ikc_slot), 0);
	CHECK_EQ(sizeof(struct ikc_slot) % 64, 0);
	CHECK_EQ(IKC_CHANNELS % 2, 0);
	CHECK_EQ(IKC_CHANNEL_SLOTS & (IKC_CHANNEL_SLOTS - 1), 0);
	CHECK(IKC_CHANNEL_SLOTS * IKC_SLOT_DATA >= IKC_MESSAGE_MAX);
}

/* A word that is not at a multiple of its size is not written at once. */
static void test_layout_aligns_words_of_records(void)
{
	CHECK_EQ(offsetof(struct ikc_trace, records) % 64, 0);
	CHECK_EQ(sizeof(struct ikc_trace_record) % 8, 0);
	CHECK_EQ(offsetof(struct ikc_trace_record, time_ns) % 8, 0);
	CHECK_EQ(offsetof(struct ikc_trace_record, generation) % 4, 0);
	CHECK_EQ(offsetof(struct ikc_trace_record, from_port) % 2, 0);
	CHECK_EQ(offsetof(struct ikc_channel, sent) % 8, 0);
	CHECK_EQ(offsetof(struct ikc_channel, packet_size) % 4, 0);
	CHECK_EQ(offsetof(struct ikc_half, channel_turn) % 4, 0);
	CHECK_EQ(offsetof(struct ikc_mailbox, trace) % 4, 0);
	CHECK_EQ(IKC_TRACE_RECORDS & (IKC_TRACE_RECORDS - 1), 0);
}

/* Every page of a pool can be told in what a channel keeps of its loans, and every byte in a reference. */
static void test_layout_of_a_pool_is_whole_pages(void)
{
	CHECK_EQ(IKC_POOL_PAGES * IKC_PAGE_SIZE, IKC_POOL_SIZE);
	CHECK_EQ(sizeof(((struct ikc_partition *)NULL)->pool), IKC_POOL_SIZE);
	CHECK_EQ(IKC_POOL_PAGES % 64, 0);
	CHECK(IKC_POOL_PAGES <= UINT16_MAX);
	CHECK(sizeof(struct ikc_reference) <= IKC_SLOT_DATA);
}

static void test_layout_of_a_valid_header_has_no_fault(void)
{
	for (uint32_t count = 1; count <= IKC_PARTITIONS_MAX; count *= 4) {
		struct guarded memory = region_create(count);
		struct ikc_map map = map_of(&memory, 0);

		CHECK_EQ(map.partition_count, count);
		CHECK_EQ(map.monitor_id, count);
		guarded_destroy(&memory);
	}
}

/* A header with one field changed to `value` must be refused, in words that hold `why`. */
#define CHECK_REFUSED(field, value, why)                                       \
	do {                                                                   \
		struct ikc_region region = *(struct ikc_region *)memory.at[0]; \
		struct ikc_map map;                                            \
		const char *fault;                                             \
		region.field = (value);                                        \
		fault = ikc_map_region(&map, &region, memory.size);            \
		CHECK(fault && strstr(fault, why));                            \
	} while (0)

static void test_layout_names_what_is_wrong_with_a_header(void)
{
	struct guarded memory = region_create(2);

	CHECK_REFUSED(magic, 0, "magic");
	CHECK_REFUSED(abi_major, IKC_ABI_MAJOR + 1, "ABI version");
	CHECK_REFUSED(region_size, memory.size + 1, "larger than the BAR");
	CHECK_REFUSED(region_size, memory.size - 1, "beyond");
	CHECK_REFUSED(region_size, 0, "beyond");
	CHECK_REFUSED(partition_count, 0, "number of partitions");
	CHECK_REFUSED(partition_count, IKC_PARTITIONS_MAX + 1, "number of partitions");
	CHECK_REFUSED(partition_count, UINT32_MAX, "number of partitions");
	CHECK_REFUSED(partition_count, 3, "beyond");
	CHECK_REFUSED(partition_stride, sizeof(struct ikc_partition) + IKC_PAGE_SIZE,
		      "another layout");
	CHECK_REFUSED(half_stride, 0, "another layout");
	CHECK_REFUSED(partitions_offset, IKC_PAGE_SIZE + 8, "unaligned");
	CHECK_REFUSED(partitions_offset, UINT64_MAX & ~0xfffull, "beyond");
	CHECK_REFUSED(partitions_offset, memory.size, "beyond");
	CHECK_REFUSED(halves_offset, UINT64_MAX & ~0xfffull, "beyond");
	CHECK_REFUSED(halves_offset, memory.size - 3 * sizeof(struct ikc_half), "beyond");
	guarded_destroy(&memory);
}

static void test_layout_of_another_minor_version_is_accepted(void)
{
	struct guarded memory = region_create(2);
	struct ikc_map map;

	((struct ikc_region *)memory.at[0])->abi_minor = IKC_ABI_MINOR + 1;
	CHECK(!ikc_map_region(&map, memory.at[0], memory.size));
	guarded_destroy(&memory);
}

/* A kernel gone astray can write into the header at any time: what was mapped stays where it is. */
static void test_layout_of_a_mapped_region_does_not_follow_its_header(void)
{
	struct guarded memory = region_create(2);
	struct ikc_map map = map_of(&memory, 0);
	struct ikc_half *half = ikc_half_at(&map, 1, 0);

	memset(memory.at[1], 0xff, sizeof(struct ikc_region));
	CHECK(ikc_half_at(&map, 1, 0) == half);
	CHECK_EQ(map.partition_count, 2);
	guarded_destroy(&memory);
}

int main(void)
{
	RUN(test_layout_parts_do_not_overlap);
	RUN(test_layout_gives_each_writer_pages_of_its_own);
	RUN(test_layout_keeps_words_of_a_cursor_on_lines_of_their_own);
	RUN(test_layout_keeps_channels_apart);
	RUN(test_layout_aligns_words_of_records);
	RUN(test_layout_of_a_pool_is_whole_pages);
	RUN(test_layout_of_a_valid_header_has_no_fault);
	RUN(test_layout_names_what_is_wrong_with_a_header);
	RUN(test_layout_of_another_minor_version_is_accepted);
	RUN(test_layout_of_a_mapped_region_does_not_follow_its_header);
	return 0;
}
