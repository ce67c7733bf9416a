/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes of an LWK and their proxies on Linux (docs/offload-protocol.md). One process is one channel,
 * which its proxy opens to IKC_PORT_PROCESS and keeps open for as long as it lives: whoever closes the
 * channel, or loses it, has ended his half of the process.
 */
#ifndef IKC_PROCESS_H
#define IKC_PROCESS_H

#include "ikc_layout.h"

enum ikc_process_constant {
	IKC_PROCESS_MAGIC = 0x434f5250, /* "PROC" */
	IKC_PROCESS_VERSION = 1,
	IKC_PROCESS_WORDS = 8,
	IKC_PROCESS_NODES = 6, /* of which PAGES tells */
	IKC_PROCESS_CPU_WORDS = 4, /* START can name the first 256 CPUs */
	IKC_PROCESS_LOOK_MAX_NS = 100000000, /* CREATE can have a thread look for an answer so long */
};

/*
 * Where a program has its memory, in the LWK and in its proxy. Linux maps nothing below the one, and what the
 * proxy has of its own lies far above the other.
 */
#define IKC_USER_START 0x10000ull
#define IKC_USER_END 0x400000000000ull

/* Of the first thread's stack, which lies highest. It has all of its pages from the beginning. */
#define IKC_USER_STACK_SIZE 0x200000ull

enum ikc_process_kind {
	/* from the proxy; each is answered by a RESULT with the slot and life that it came with */
	IKC_PROCESS_CREATE = 1,  /* words: IKC_PROCESS_VERSION, pid, CLOCK_REALTIME, CLOCK_MONOTONIC in ns, flags, look ns */
	IKC_PROCESS_MAP = 2,     /* start (0: anywhere), bytes, protection, image (two words; 0, 0: none) */
	IKC_PROCESS_PROTECT = 3, /* start, bytes, protection */
	IKC_PROCESS_START = 4,   /* where to begin, stack pointer, where the heap begins; set of CPUs, or 0: all */
	IKC_PROCESS_SIGNAL = 5,  /* number, si_code, si_pid, si_uid; is not answered */
	IKC_PROCESS_PAGES = 6,   /* on a channel without a process: what is free, and what runs */
	IKC_PROCESS_STOP = 8,    /* 1: the proxy is stopped, 0: it goes on, and so does the program; is not answered */
	IKC_PROCESS_PLACE = 9,   /* number of a call that both can make; 1: by the proxy, 0: by the LWK */

	/* from the LWK; CALL, ZAP and ENDED are answered by a RESULT with the same slot and life */
	IKC_PROCESS_CALL = 16,   /* number, arguments */
	IKC_PROCESS_ZAP = 17,    /* start, bytes: no page of it may be reached by the proxy any more */
	IKC_PROCESS_ENDED = 18,  /* words: status, as wait(2) tells it */
	IKC_PROCESS_INTERRUPT = 20, /* slot, life: what the proxy does for it is to end by EINTR; is not answered */
	IKC_PROCESS_TRACE = 19,  /* a local call that was made: number, arguments, result, ns; is not answered */

	IKC_PROCESS_RESULT = 32, /* number: the result, or a negative errno */
};

enum ikc_process_flag {
	IKC_PROCESS_TRACES = 1, /* CREATE: tell of local calls */
};

/* Every message, both ways. */
struct ikc_process_message {
	uint32_t kind; /* enum ikc_process_kind */
	uint32_t slot; /* of the thread that asks; ~0: of none */
	uint32_t life; /* counts what this slot has asked: an answer to an older question is nobody's */
	uint32_t reserved;
	uint64_t number;
	uint64_t words[IKC_PROCESS_WORDS];
};

/*
 * The words of a RESULT. To CREATE: page table (physical), threads that may be at once. To MAP: the number is the
 * address; 1: the image is there already. To PAGES: number of processes, free pages and all pages, then free pages of each node.
 */

_Static_assert(sizeof(struct ikc_process_message) == 88, "fits a slot");

#endif
