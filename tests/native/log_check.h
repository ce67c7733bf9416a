/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel log in guarded memory, whose text can be told from any other. */
#ifndef LOG_CHECK_H
#define LOG_CHECK_H

#include "check.h"
#include "guarded.h"
#include "ikc_log.h"

#define LOG_PAGES ((sizeof(struct ikc_log) + IKC_PAGE_SIZE - 1) / IKC_PAGE_SIZE)

static char buffer[2 * IKC_LOG_SIZE];

/* Every byte tells its place in the log, so that text from elsewhere is recognised. */
static inline char byte_at(uint64_t position)
{
	return (char)(position * 0x9e3779b97f4a7c15u >> 56);
}

static inline void write_bytes(struct ikc_log *log, uint32_t length)
{
	char text[1024];

	CHECK(length <= sizeof(text));
	for (uint32_t i = 0; i < length; i++)
		text[i] = byte_at(log->written + i);
	ikc_log_write(log, text, length);
}

/* Reads once and checks that place and text agree. Returns how far *at went. */
static inline uint64_t read_and_check(const struct ikc_log *log, uint64_t *at, uint32_t capacity,
				      uint64_t *lost)
{
	uint64_t before = *at;
	uint32_t count = ikc_log_read(log, at, buffer, capacity, lost);

	CHECK(count <= capacity);
	CHECK_EQ(*at - before, *lost + count);
	for (uint32_t i = 0; i < count; i++)
		CHECK_EQ(buffer[i], byte_at(*at - count + i));
	return *at - before;
}

/* The last page of the log ends where the memory does. */
static inline struct ikc_log *log_create(struct guarded *memory)
{
	*memory = guarded_create(LOG_PAGES * IKC_PAGE_SIZE);
	return (struct ikc_log *)((char *)memory->at[0] + memory->size - sizeof(struct ikc_log));
}

#endif
