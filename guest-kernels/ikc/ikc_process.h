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
	IKC_PROCESS_VERSION = 4,
	IKC_PROCESS_WORDS = 8,
	IKC_PROCESS_SHORT_WORDS = 3,
	IKC_PROCESS_NODES = 6, /* of which PAGES tells */
	IKC_PROCESS_CPU_WORDS = 4, /* START can name the first 256 CPUs */
	IKC_PROCESS_LOOK_MAX_NS = 100000000, /* CREATE can have a thread look for an answer so long */
	IKC_PROCESS_BEGINNING = 16, /* questions of a process until it has begun: both sides look longer until then, */
	IKC_PROCESS_BEGINNING_LOOKS = 2, /* so many times as long: what is done in between takes longer than later on */
	IKC_PROCESS_THREADS = 256, /* that a process can have; slots are below it */
	IKC_PROCESS_NAME_SIZE = 16, /* with the zero behind it */
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
	/* words: IKC_PROCESS_VERSION, pid, CLOCK_REALTIME, CLOCK_MONOTONIC in ns, flags, look ns, name (two words) */
	IKC_PROCESS_CREATE = 1,
	IKC_PROCESS_MAP = 2,     /* start (0: anywhere), bytes, protection, image (two words; 0, 0: none) */
	IKC_PROCESS_PROTECT = 3, /* start, bytes, protection */
	IKC_PROCESS_START = 4,   /* where to begin, stack pointer, where the heap begins; set of CPUs, or 0: all */
	IKC_PROCESS_SIGNAL = 5,  /* number, si_code, si_pid, si_uid, si_value; slot of the thread that it is for; is not answered */
	IKC_PROCESS_PAGES = 6,   /* on a channel without a process: what is free, and what runs */
	IKC_PROCESS_TELL = 7,    /* instead of the RESULT of a CALL: number: set of facts to be told first */
	IKC_PROCESS_STOP = 8,    /* 1: the proxy is stopped, 0: it goes on, and so does the program; is not answered */
	IKC_PROCESS_PLACE = 9,   /* number of a call that both can make; 1: by the proxy, 0: by the LWK */

	/* from the LWK; CALL, ZAP and ENDED are answered by a RESULT with the same slot and life */
	IKC_PROCESS_CALL = 16,   /* number, six arguments, how many facts were told for it */
	IKC_PROCESS_ZAP = 17,    /* start, bytes: no page of it may be reached by the proxy any more */
	IKC_PROCESS_ENDED = 18,  /* words: status, as wait(2) tells it */
	IKC_PROCESS_INTERRUPT = 20, /* slot, life: what the proxy does for it is to end by EINTR; is not answered */
	IKC_PROCESS_TRACE = 19,  /* a local call that was made: number, arguments, result, ns; is not answered */
	IKC_PROCESS_GONE = 22,   /* after ENDED was answered: all that the process had is free again; is not answered */
	IKC_PROCESS_FACT = 21,   /* asked for by TELL: which, its words; life: how many came before; is not answered */

	IKC_PROCESS_RESULT = 32, /* number: the result, or a negative errno */
};

enum ikc_process_flag {
	IKC_PROCESS_TRACES = 1, /* CREATE: tell of local calls */
	IKC_PROCESS_TOLD = 1,   /* `flags` of a CALL: made again, after the facts that TELL had asked for */
	IKC_PROCESS_MAPS = 2,   /* the same: a pread64 into memory that is to be a mapping of the file */
	IKC_PROCESS_UNMAPPED = 4, /* `flags` of a ZAP: of these mappings, if there are any, nothing is left */
};

/*
 * What an LWK tells of itself and of the process that asks. A set has bit 1 << kind of each. CPUs, nodes and threads
 * are counted as programs count them.
 */
enum ikc_process_fact {
	IKC_FACT_CPU = 0,      /* each: CPU, APIC id, node, package, core, thread, whether it is online, ns it was busy */
	IKC_FACT_NODE = 1,     /* each: node, bytes installed, pages of programs and free, free pages */
	IKC_FACT_DISTANCE = 2, /* node, first node that it tells of, bytes: distance to each from that one on */
	IKC_FACT_PROCESS = 3,  /* threads, ns on a CPU, pages, heap's start and end, signals: pending, ignored, caught */
	IKC_FACT_THREAD = 4,   /* each: id, CPU, enum ikc_thread_state, ns on a CPU, offloads, signals: pending, blocked */
	IKC_FACT_AREA = 5,     /* each, by address: start, end, protection */
	IKC_FACT_ALLOWED = 6,  /* of the thread that asks: first CPU, then a bit for each from that one on, 64 in a word */
	IKC_FACT_TIME = 7,     /* ns since the LWK began, ns since then when the process began */
	IKC_FACT_KINDS,

	IKC_FACT_DISTANCES = 6 * 8, /* in one message */
	IKC_FACT_ALLOWED_CPUS = 6 * 64,
};

enum ikc_thread_state {
	IKC_THREAD_WAITS = 0, /* for its proxy, or for another thread, or for a time */
	IKC_THREAD_RUNS = 1,  /* or could, and others of its CPU do */
};

/* Every message, both ways. */
struct ikc_process_message {
	uint32_t kind; /* enum ikc_process_kind */
	uint32_t slot; /* of the thread that asks; ~0: of none */
	uint32_t life; /* counts what this slot has asked: an answer to an older question is nobody's */
	uint32_t flags; /* of a CALL or ZAP: enum ikc_process_flag; else 0 */
	uint64_t number;
	uint64_t words[IKC_PROCESS_WORDS];
};

/*
 * The words of a RESULT. To CREATE: page table (physical), threads that may be at once. To MAP: the number is the
 * address; 1: the image is there already. To PAGES: number of processes, free pages and all pages, then free pages of each node.
 */

_Static_assert(sizeof(struct ikc_process_message) == 88, "fits a slot");

/*
 * ZAP, a CALL of at most three arguments, and RESULT and TELL from the proxy can be as short as this: they pass from CPU to CPU as one
 * cache line of the slot.
 */
#define IKC_PROCESS_SHORT (__builtin_offsetof(struct ikc_process_message, words) + IKC_PROCESS_SHORT_WORDS * sizeof(uint64_t))

_Static_assert(IKC_PROCESS_SHORT == IKC_SLOT_LINE, "a short one is one cache line");

/* ---- a list of processes: a message to the same port, which no channel is needed for, and its answer ---- */

struct ikc_process_list_request {
	uint32_t magic; /* IKC_PROCESS_MAGIC */
	uint32_t skip; /* processes that were told of before */
};

struct ikc_process_entry {
	uint32_t id; /* the proxy's, on the partition where that is */
	uint32_t partition; /* index of that one */
	uint32_t threads;
	uint32_t ending; /* 1: it has ended, and its threads or its proxy have not left yet */
	uint64_t cpu_ns;
	uint64_t pages;
	uint64_t offloads;
	uint64_t cpus[IKC_PROCESS_CPU_WORDS]; /* that its threads are on */
	char name[IKC_PROCESS_NAME_SIZE]; /* as the proxy told it */
};

struct ikc_process_list {
	uint32_t magic;
	uint32_t skip; /* as asked */
	uint32_t total; /* processes there are */
	uint32_t count; /* entries that follow */
};

enum ikc_process_list_constant {
	IKC_PROCESS_LIST_MAX = (IKC_MESSAGE_MAX - sizeof(struct ikc_process_list)) / sizeof(struct ikc_process_entry),
};

_Static_assert(sizeof(struct ikc_process_entry) == 88, "no holes");

#endif
