/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel log in shared memory (docs/ikc-protocol.md, "Kernel log"): the newest IKC_LOG_SIZE bytes
 * of text. One writer at a time (the caller's lock); readers come at any time and take no lock.
 */
#ifndef IKC_LOG_H
#define IKC_LOG_H

#include "ikc_layout.h"

static inline void ikc_log_write(struct ikc_log *log, const char *text, uint32_t length)
{
	uint64_t at = ikc_load(&log->written);
	uint64_t end;
	uint32_t i;

	if (length > IKC_LOG_SIZE) {
		text += length - IKC_LOG_SIZE;
		length = IKC_LOG_SIZE;
	}
	end = at + length;
	/* Never back: a life that ended within a write has spoilt all that it had reserved. */
	if (ikc_load(&log->reserved) < end)
		ikc_store(&log->reserved, end);
	/* Each byte is released: who reads one of them also sees that it was reserved. */
	for (i = 0; i < length; i++)
		ikc_store_release(&log->data[(at + i) % IKC_LOG_SIZE], (uint8_t)text[i]);
	ikc_store_release(&log->written, end);
}

/*
 * Copies text from position *at on into `buffer`, advances *at, and returns the bytes copied. If
 * the text at *at is gone already, it starts with the oldest that is left; *lost tells how many were
 * missed. The positions are the writer's and may be nonsense: the result is then garbage, but bounded.
 */
static inline uint32_t ikc_log_read(const struct ikc_log *log, uint64_t *at, char *buffer,
				    uint32_t capacity, uint64_t *lost)
{
	uint64_t written = ikc_load_acquire(&log->written);
	uint64_t begin = *at, oldest;
	uint32_t count, gone, i;

	*lost = 0;
	if (begin > written)
		begin = 0; /* not the log that was read so far: all of it is new */
	if (written - begin > IKC_LOG_SIZE) {
		*lost = written - IKC_LOG_SIZE - begin;
		begin = written - IKC_LOG_SIZE;
	}
	count = written - begin < capacity ? (uint32_t)(written - begin) : capacity;
	for (i = 0; i < count; i++)
		buffer[i] = (char)ikc_load_acquire(&log->data[(begin + i) % IKC_LOG_SIZE]);
	*at = begin + count;

	/* What the writer has begun to overwrite meanwhile is not text any more. */
	oldest = ikc_load(&log->reserved);
	oldest = oldest > IKC_LOG_SIZE ? oldest - IKC_LOG_SIZE : 0;
	if (oldest <= begin)
		return count;
	gone = oldest - begin < count ? (uint32_t)(oldest - begin) : count;
	*lost += gone;
	for (i = gone; i < count; i++)
		buffer[i - gone] = buffer[i];
	return count - gone;
}

#endif
