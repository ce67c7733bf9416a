/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Checked message streams: mixed sizes, a sequence number and a checksum in each message, so that a
 * receiver can say "in order, none lost, none twice, nothing changed". Used on IKC_PORT_STREAM.
 *
 * SINK: the requester then sends `count` messages to IKC_PORT_STREAM from the same source port; the
 * service checks them and answers with a report. SOURCE: the service sends `count` messages to the
 * requester's port. RELAY: the service streams `count` messages to the STREAM port of `partition`, and
 * hands the report of that on to the requester's port. One stream per source (peer, port) at a time; a new request replaces the old.
 */
#ifndef IKC_STREAM_H
#define IKC_STREAM_H

#include "ikc_layout.h"

enum ikc_stream_kind {
	IKC_STREAM_SINK = 0x4b4e4953,   /* "SINK" */
	IKC_STREAM_SOURCE = 0x43525553, /* "SURC" */
	IKC_STREAM_RELAY = 0x594c4552,	/* "RELY" */
	IKC_STREAM_DATA = 0x41544144,   /* "DATA" */
	IKC_STREAM_REPORT = 0x54504552, /* "REPT" */
};

enum ikc_stream_fault {
	IKC_STREAM_FINE = 0,
	IKC_STREAM_OUT_OF_ORDER = 1,
	IKC_STREAM_BAD_LENGTH = 2,
	IKC_STREAM_BAD_CHECKSUM = 3,
	IKC_STREAM_CUT = 4, /* RELAY: it did not come to a report */
};

struct ikc_stream_request {
	uint32_t kind; /* SINK, SOURCE or RELAY */
	uint32_t seed;
	uint32_t count;
	uint32_t partition; /* RELAY: to whom; else 0 */
};

struct ikc_stream_data {
	uint32_t kind; /* DATA */
	uint32_t sequence;
	uint32_t checksum; /* CRC-32C of the bytes behind this header, begun with ikc_mix(seed, sequence) */
	uint32_t reserved; /* 0 */
};

struct ikc_stream_report {
	uint32_t kind; /* REPORT */
	uint32_t fault; /* enum ikc_stream_fault: the first one found */
	uint32_t received; /* messages taken */
	uint32_t at; /* sequence number that was due when the fault was found */
	uint64_t bytes;
};

/* The checking end. */
struct ikc_stream {
	uint32_t seed;
	uint32_t count;
	uint32_t next;
	uint32_t fault;
	uint32_t fault_at;
	uint64_t bytes;
};

_Static_assert(sizeof(struct ikc_stream_request) == 16, "ikc_stream_request grew");
_Static_assert(sizeof(struct ikc_stream_data) == 16, "ikc_stream_data grew");
_Static_assert(sizeof(struct ikc_stream_report) == 24, "ikc_stream_report grew");

static inline uint32_t ikc_mix(uint32_t seed, uint32_t n)
{
	uint32_t x = seed ^ n * 0x9e3779b9u;

	x = (x ^ x >> 16) * 0x85ebca6bu;
	x = (x ^ x >> 13) * 0xc2b2ae35u;
	return x ^ x >> 16;
}

/* Castagnoli's polynomial, reflected, a nibble at a time. */
static inline uint32_t ikc_crc32c(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
	static const uint32_t nibbles[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	crc = ~crc;
	while (count--) {
		crc ^= *bytes++;
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc;
}

/* Length of message n: one in 64 empty, one in 64 the largest, the rest of all orders of magnitude. */
static inline uint32_t ikc_stream_length(uint32_t seed, uint32_t n)
{
	uint32_t x = ikc_mix(seed, n);
	uint32_t least = sizeof(struct ikc_stream_data);
	uint32_t span = 1u << (x >> 8 & 15) % 13;

	if (x % 64 == 0)
		return least;
	if (x % 64 == 1)
		return IKC_MESSAGE_MAX;
	return least + (x >> 16) % span % (IKC_MESSAGE_MAX - least + 1);
}

/* Writes message n into `buffer` (IKC_MESSAGE_MAX bytes) and returns its length. */
static inline uint32_t ikc_stream_make(uint32_t seed, uint32_t n, uint8_t *buffer)
{
	uint32_t length = ikc_stream_length(seed, n);
	struct ikc_stream_data data = { IKC_STREAM_DATA, n, 0, 0 };
	uint32_t at;

	for (at = sizeof(data); at < length; at++)
		buffer[at] = (uint8_t)(ikc_mix(seed ^ n, at >> 2) >> 8 * (at & 3));
	data.checksum = ikc_crc32c(ikc_mix(seed, n), buffer + sizeof(data), length - sizeof(data));
	__builtin_memcpy(buffer, &data, sizeof(data));
	return length;
}

static inline void ikc_stream_begin(struct ikc_stream *stream, uint32_t seed, uint32_t count)
{
	stream->seed = seed;
	stream->count = count;
	stream->next = 0;
	stream->fault = IKC_STREAM_FINE;
	stream->fault_at = 0;
	stream->bytes = 0;
}

static inline uint32_t ikc_stream_fault_of(const struct ikc_stream *stream, const uint8_t *message,
					   uint32_t length)
{
	struct ikc_stream_data data;
	uint32_t checksum;

	if (length < sizeof(data))
		return IKC_STREAM_BAD_LENGTH;
	__builtin_memcpy(&data, message, sizeof(data));
	if (data.kind != IKC_STREAM_DATA || data.sequence != stream->next)
		return IKC_STREAM_OUT_OF_ORDER;
	if (length != ikc_stream_length(stream->seed, stream->next))
		return IKC_STREAM_BAD_LENGTH;
	checksum = ikc_crc32c(ikc_mix(stream->seed, data.sequence), message + sizeof(data),
			      length - sizeof(data));
	if (data.checksum != checksum || data.reserved)
		return IKC_STREAM_BAD_CHECKSUM;
	return IKC_STREAM_FINE;
}

/* Takes one message, already copied out of the ring. Returns true when the stream is complete. */
static inline bool ikc_stream_take(struct ikc_stream *stream, const uint8_t *message, uint32_t length)
{
	uint32_t fault = ikc_stream_fault_of(stream, message, length);

	if (fault && !stream->fault) {
		stream->fault = fault;
		stream->fault_at = stream->next;
	}
	stream->bytes += length;
	stream->next++;
	return stream->next >= stream->count;
}

#endif
