/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Measurements between two kernels, each with the bare thing that it is compared with. Used on IKC_PORT_BENCH.
 *
 * Over a channel (IKC_BENCH_MAGIC, packets of IKC_MESSAGE_MAX) the opener sends a request; the service answers
 * that it is ready, and then plays its part, once. The opener takes the time. Over the data ring anybody sends an
 * order; the service measures as the opener, against `partition`, and answers with what it found.
 */
#ifndef IKC_BENCH_H
#define IKC_BENCH_H

#include "ikc_layout.h"

#define IKC_BENCH_MAGIC 0x48434e42u /* "BNCH" */

enum ikc_bench_constant {
	IKC_BENCH_PATIENCE_MS = 2000, /* who waits for so long without progress gives up */
	IKC_BENCH_ANY_CPU = 0xffff,
};

/* `count` times each; the part of the service. */
enum ikc_bench_kind {
	IKC_BENCH_ECHO_POLL = 1, /* sends each message back; looks at the ring all the time */
	IKC_BENCH_ECHO_BELL = 2, /* sends each message back; sleeps until it is rung */
	IKC_BENCH_BARE_POLL = 3, /* repeats the opener's word in its own; looks at it all the time */
	IKC_BENCH_BARE_BELL = 4, /* repeats the opener's word in its own and rings; sleeps until it is rung */
	IKC_BENCH_SINK = 5,	 /* takes messages of `size` bytes; answers again when it has all */
	IKC_BENCH_BULK = 6,	 /* copies lent payloads of `size` bytes; answers again when it has all */
	/* Orders alone: of the ordered kernel by itself. */
	IKC_BENCH_RING = 7,   /* a bare ring of `size`-byte items from one of its CPUs to another */
	IKC_BENCH_MEMCPY = 8, /* copies `size` bytes */
};

enum ikc_bench_fault {
	IKC_BENCH_FINE = 0,
	IKC_BENCH_BAD_REQUEST = 1, /* unknown kind, or numbers that it cannot have */
	IKC_BENCH_NO_CHANNEL = 2,  /* the partition does not answer, or refuses */
	IKC_BENCH_TOO_SLOW = 3,	   /* no progress for IKC_BENCH_PATIENCE_MS */
	IKC_BENCH_BUSY = 4,	   /* one measurement at a time */
};

/* A word of the bare kinds has a cache line of its own, and is 0 when the answer is sent. It counts from 1 on. */
struct ikc_bench_request {
	uint32_t kind;
	uint32_t size; /* bytes of each message or payload */
	uint32_t count;
	uint32_t cpu;	 /* that does the service's part, or IKC_BENCH_ANY_CPU */
	uint64_t offset; /* bare kinds: of the opener's word in its pool */
};

struct ikc_bench_answer {
	uint32_t kind;
	uint32_t fault;
	uint64_t offset; /* bare kinds: of the service's word in its pool */
};

struct ikc_bench_order {
	uint32_t kind;
	uint32_t partition; /* to measure against */
	uint32_t size;
	uint32_t count;
	uint32_t own_cpu; /* of the ordered kernel, or IKC_BENCH_ANY_CPU */
	uint32_t peer_cpu;
};

struct ikc_bench_result {
	uint32_t kind;
	uint32_t fault;
	uint64_t ns; /* of all `count` together */
};

_Static_assert(sizeof(struct ikc_bench_request) == 24, "ikc_bench_request grew");
_Static_assert(sizeof(struct ikc_bench_answer) == 16, "ikc_bench_answer grew");
_Static_assert(sizeof(struct ikc_bench_order) == 24, "ikc_bench_order grew");
_Static_assert(sizeof(struct ikc_bench_result) == 16, "ikc_bench_result grew");

/* For people. Any number has a word: it may come from a peer. */
static inline const char *ikc_bench_fault_word(uint32_t fault)
{
	static const char *const words[] = {
		[IKC_BENCH_FINE] = "fine",
		[IKC_BENCH_BAD_REQUEST] = "the request makes no sense",
		[IKC_BENCH_NO_CHANNEL] = "the partition opens no channel for it",
		[IKC_BENCH_TOO_SLOW] = "no progress for 2000 ms",
		[IKC_BENCH_BUSY] = "another measurement runs",
	};

	return fault < sizeof(words) / sizeof(words[0]) ? words[fault] : "?";
}

#endif
