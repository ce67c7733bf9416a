/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The IKC region: every byte that the kernels of an enclave share, and who writes it.
 *
 * This is the only definition. The LWK, the Linux module, the tools and the native tests include it;
 * Python reads it out of the DWARF of ikc_layout.c. docs/ikc-protocol.md describes it in words.
 *
 *   0             struct ikc_region                        written by the monitor, constant for the run
 *   partitions    struct ikc_partition[partition_count]    a page per writer, then report, log, trace and pool
 *   halves        struct ikc_half[count][count]            [from][to]: all that `from` writes for `to`
 *   last page     struct ikc_scratch                       self-tests, if the tables leave that page free
 *
 * "The monitor" is the supervisor process on the physical machine; it is a peer of the fabric with
 * the id `monitor_id`, and maps the region like everybody else. Fields are little-endian.
 */
#ifndef IKC_LAYOUT_H
#define IKC_LAYOUT_H

#include "ikc_atomic.h"

enum ikc_constant {
	IKC_MAGIC = 0x31434b49, /* "IKC1" in memory */
	IKC_ABI_MAJOR = 2,	/* another number: another layout; both sides must be equal */
	IKC_ABI_MINOR = 2,	/* grows when something is added in spare room */

	IKC_PAGE_SIZE = 4096,
	IKC_PARTITIONS_MAX = 64,
	IKC_NAME_SIZE = 32,
	IKC_SEGMENTS_MAX = 64,
	IKC_PANIC_TEXT_SIZE = 2048,

	IKC_REPORT_CPUS_MAX = 4096,
	IKC_REPORT_NODES_MAX = 64,
	IKC_REPORT_RANGES_MAX = 128,

	IKC_LOG_SIZE = 256 * 1024, /* bytes of kernel log kept per partition, a power of two */

	IKC_SLOT_SIZE = 128,
	IKC_SLOT_DATA = 112,
	IKC_SLOT_LINE = 48, /* of those, in its first cache line */
	IKC_CONTROL_SLOTS = 16, /* powers of two */
	IKC_DATA_SLOTS = 256,
	IKC_MESSAGE_MAX = 4096, /* bytes of payload in one message */

	IKC_RINGS = 2,	     /* of every link; channels have rings of their own */

	IKC_CHANNELS = 32, /* of one link; each end opens half of them */
	IKC_CHANNEL_SLOTS = 64,

	IKC_POOL_SIZE = 1024 * 1024, /* bytes of a partition for payloads that are lent, not copied */
	IKC_POOL_PAGES = IKC_POOL_SIZE / IKC_PAGE_SIZE,

	IKC_TRACE_RECORDS = 1024, /* a power of two */
	IKC_TRACE_DATA = 80,	  /* bytes of payload in a record */

	/* The ivshmem device (QEMU docs/specs/ivshmem-spec.rst): BAR0 registers. */
	IKC_PCI_VENDOR = 0x1af4,
	IKC_PCI_DEVICE = 0x1110,
	IKC_REG_IVPOSITION = 8,
	IKC_REG_DOORBELL = 12, /* write peer << 16 | vector */
};

/* Doorbell vectors of every peer. */
enum ikc_vector {
	IKC_VECTOR_CONTROL = 0, /* mailbox, life and death, link states, control ring */
	IKC_VECTOR_DATA = 1,	/* data ring */
	IKC_VECTOR_CHANNEL = 2, /* the first of those that channels are rung on; each receiver chooses */
	IKC_CHANNEL_VECTORS = 4,
	IKC_VECTORS = IKC_VECTOR_CHANNEL + IKC_CHANNEL_VECTORS,
};

enum ikc_ring_kind {
	IKC_RING_CONTROL = 0, /* slots of their own: control never waits behind data */
	IKC_RING_DATA = 1,
};

enum ikc_kernel_kind {
	IKC_KERNEL_LINUX = 1,
	IKC_KERNEL_LWK = 2,
	IKC_KERNEL_CUSTOM = 3,
};

/* What a partition says of itself (struct ikc_status). */
enum ikc_partition_state {
	IKC_PARTITION_NONE = 0,	      /* nothing said in this life */
	IKC_PARTITION_BOOTING = 1,    /* the kernel runs and has found the region */
	IKC_PARTITION_READY = 2,
	IKC_PARTITION_PANICKED = 3,   /* panic_text is valid */
	IKC_PARTITION_STOPPING = 4,   /* about to power off, as asked */
	IKC_PARTITION_RESTARTING = 5, /* about to reset, as asked: the next reset is no fault */
};

/* What the monitor asks of a partition (struct ikc_mailbox). */
enum ikc_command {
	IKC_COMMAND_NONE = 0,
	IKC_COMMAND_PROBE = 1, /* answer: shows that the kernel still takes interrupts */
	IKC_COMMAND_SHUTDOWN = 2,
	IKC_COMMAND_RESTART = 3,
	IKC_COMMAND_PANIC = 4, /* fault injection: panic with the text "panic asked for by the monitor" */
	IKC_COMMAND_HANG = 5,  /* fault injection: spin with interrupts off */
	IKC_COMMAND_TRIPLE_FAULT = 6, /* fault injection: an exception that cannot be taken */
};

enum ikc_mailbox_result {
	IKC_MAILBOX_DONE = 0,
	IKC_MAILBOX_UNKNOWN = 1, /* this kernel does not know the command */
};

/* States of one end of a link (docs/ikc-protocol.md, "Link states"). */
enum ikc_link_state {
	IKC_LINK_RESET = 0,
	IKC_LINK_INIT = 1,
	IKC_LINK_READY = 2,
	IKC_LINK_RUN = 3,
};

/* Why an end last went to RESET. */
enum ikc_reset_reason {
	IKC_RESET_NONE = 0,
	IKC_RESET_BOOT = 1,	 /* first life of this end */
	IKC_RESET_PEER_DEAD = 2, /* the monitor says that the peer is not alive */
	IKC_RESET_PEER_RESET = 3, /* the peer began a new generation */
	IKC_RESET_BAD_STATE = 4, /* the peer's handshake words make no sense */
	IKC_RESET_BAD_TAIL = 5,	 /* the peer says it consumed what was never sent */
	IKC_RESET_BAD_LENGTH = 6, /* a message longer than IKC_MESSAGE_MAX, or than what was published */
	IKC_RESET_LOCAL = 7,	 /* asked for on this side: module unload, shutdown */
	IKC_RESET_BAD_CHANNEL = 8, /* the peer's words about a channel make no sense */
};

/* States of one end of a channel (docs/ikc-protocol.md, "Channels"). */
enum ikc_channel_state {
	IKC_CHANNEL_FREE = 0,
	IKC_CHANNEL_OPENING = 1, /* said by the opener alone */
	IKC_CHANNEL_OPEN = 2,
	IKC_CHANNEL_REFUSED = 3, /* said by the other end alone */
	IKC_CHANNEL_CLOSED = 4,
};

/* Why a channel was refused. */
enum ikc_channel_refusal {
	IKC_REFUSAL_NONE = 0,
	IKC_REFUSAL_PORT = 1,	     /* nobody listens there */
	IKC_REFUSAL_MAGIC = 2,	     /* who listens there speaks another protocol */
	IKC_REFUSAL_PACKET_SIZE = 3, /* ... or uses another packet size */
	IKC_REFUSAL_BUSY = 4,	     /* who listens there has no room for it now */
	IKC_REFUSAL_CLOSED = 5,	     /* accepted, and closed before this end looked */
};

/* What a packet in a channel's ring is: the destination port field of its first slot. */
enum ikc_packet {
	IKC_PACKET_COPIED = 0, /* its payload is in the ring */
	IKC_PACKET_LENT = 1,   /* its payload is a struct ikc_reference */
};

/* Well-known destination ports of data messages. 0-255 belong to this project, the rest to users. */
enum ikc_port {
	IKC_PORT_NONE = 0,
	IKC_PORT_ECHO = 1,   /* every kernel: sends the payload back to the source port */
	IKC_PORT_STREAM = 2, /* LWK: checked message streams, ikc_stream.h */
	IKC_PORT_BENCH = 3,  /* LWK: measurements, ikc_bench.h */
	IKC_PORT_PROCESS = 4, /* LWK: processes and their proxies, ikc_process.h */
	IKC_PORT_FIRST_USER = 256,
	IKC_PORT_FIRST_EPHEMERAL = 32768,
};

/* Types of control messages: the destination port field of a control slot. */
enum ikc_control {
	IKC_CONTROL_PING = 1, /* payload comes back unchanged in a PONG */
	IKC_CONTROL_PONG = 2,
	IKC_CONTROL_REFUSED = 3, /* payload: struct ikc_refusal; no one listens on that port */
};

struct ikc_refusal {
	uint16_t to_port;
	uint16_t from_port;
	uint32_t reserved;
};

/* A payload that lies in the sender's pool until this message is taken. */
struct ikc_reference {
	uint64_t offset; /* in the sender's pool */
	uint32_t length;
	uint32_t reserved;
};

/* ---- the header: writer monitor, before the first kernel starts; constant afterwards ---- */

struct ikc_region {
	uint32_t magic;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint64_t region_size; /* bytes, a power of two */
	uint64_t run_id;      /* random: tells two runs apart */
	uint32_t partition_count;
	uint32_t monitor_id;
	uint64_t partitions_offset;
	uint64_t partition_stride;
	uint64_t halves_offset;
	uint64_t half_stride;
};

/* ---- a partition ---- */

/* Guest-physical RAM of a partition and where the host finds it. */
struct ikc_segment {
	uint64_t phys;	       /* guest-physical address in the partition that owns it */
	uint64_t size;	       /* bytes */
	uint64_t offset;       /* of the segment in its window */
	uint32_t window_devfn; /* host's PCI bus 0 device << 3 | function; ~0: no window */
	uint32_t node;	       /* node of the virtual compute node, as in the spec */
};

/* Writer: monitor, before the first kernel starts; constant afterwards. */
struct ikc_identity {
	char name[IKC_NAME_SIZE]; /* NUL-terminated */
	uint32_t kernel_kind;	  /* enum ikc_kernel_kind */
	uint32_t is_host;
	uint32_t cpu_count;
	uint32_t segment_count;
	struct ikc_segment segments[IKC_SEGMENTS_MAX];
};

/* Writer: monitor, at any time. */
struct ikc_mailbox {
	uint32_t incarnation; /* life number of the partition: 1, 2, ... */
	uint32_t alive;	      /* 0: nobody runs there, its words mean nothing */
	uint32_t command;     /* enum ikc_command; written before sequence */
	uint32_t sequence;    /* of the command; stored last, with release */
	uint64_t argument;
	uint32_t trace; /* not 0: write a record of each message into struct ikc_trace */
	uint32_t reserved;
};

/*
 * Writer: the partition. What an earlier life left here is not this life's: a kernel that begins stores
 * state NONE, clears report_valid and panic_length, takes mailbox.sequence over as answered, stores its
 * incarnation, and then state BOOTING. A reader loads incarnation, then state, then the rest.
 */
struct ikc_status {
	uint32_t state;	      /* enum ikc_partition_state; stored with release */
	uint32_t incarnation; /* the life in which this page was last written; stored with release */
	uint32_t answered;    /* sequence of the last command answered; stored last, with release */
	uint32_t answer;      /* enum ikc_mailbox_result */
	uint64_t heartbeat;   /* answers and other signs of life, counted */
	uint32_t cpus_online;
	uint32_t tsc_khz;     /* 0: not known */
	uint64_t entry_ns;    /* kernel's first instruction to here, by its own clock */
	uint64_t ready_ns;    /* kernel's first instruction to READY */
	uint32_t report_valid; /* 1: struct ikc_report is complete; stored with release */
	uint32_t panic_length; /* bytes of panic_text; stored before state PANICKED */
	uint32_t panic_cpu;
	uint32_t reserved;
	char panic_text[IKC_PANIC_TEXT_SIZE];

	/* What the kernel gives to programs, and they to it; since 2.2. */
	uint64_t memory_bytes; /* in all; 0: nothing of this is told. Each new life begins with that */
	uint64_t free_bytes;
	uint32_t processes;
	uint32_t threads;
	uint64_t offloads; /* system calls that proxies have answered since this life began */
	uint64_t offload_ns; /* that their callers waited for the answers, added up */
};

struct ikc_report_cpu {
	uint32_t apic_id;
	uint32_t node; /* proximity domain of SRAT: the partition's own numbering */
};

struct ikc_report_range {
	uint64_t base;
	uint64_t size;
	uint32_t node;
	uint32_t reserved;
};

/* What the kernel found of CPUs, memory and distances in its ACPI tables. Writer: the partition. */
struct ikc_report {
	uint32_t cpu_count;
	uint32_t node_count;
	uint32_t range_count;
	uint32_t reserved;
	struct ikc_report_cpu cpus[IKC_REPORT_CPUS_MAX];
	struct ikc_report_range ranges[IKC_REPORT_RANGES_MAX];
	uint8_t distances[IKC_REPORT_NODES_MAX][IKC_REPORT_NODES_MAX];	 /* SLIT; 0: not told */
	uint32_t latency_ns[IKC_REPORT_NODES_MAX][IKC_REPORT_NODES_MAX];  /* HMAT [initiator][target] */
	uint32_t bandwidth_mb[IKC_REPORT_NODES_MAX][IKC_REPORT_NODES_MAX]; /* HMAT, MB/s */
};

/* Kernel log: bytes of text, read at any time, also after death. Writer: the partition. */
struct ikc_log {
	uint64_t reserved; /* bytes ever begun to be written; stored before they are */
	uint64_t written;  /* bytes ever written; free-running, stored with release */
	uint8_t pad[48];
	uint8_t data[IKC_LOG_SIZE];
};

enum ikc_trace_direction {
	IKC_TRACE_SENT = 0,
	IKC_TRACE_TAKEN = 1,
};

/* One message that passed. The stamp is the record's number + 1, and 0 while it is being written. */
struct ikc_trace_record {
	uint64_t stamp;
	uint64_t time_ns; /* by the kernel's clock, from its first instruction */
	uint32_t generation; /* of the link, this end's */
	uint32_t length;     /* of the message */
	uint16_t peer;
	uint16_t ring; /* enum ikc_ring_kind; from IKC_RINGS on: of channel ring - IKC_RINGS */
	uint16_t direction; /* enum ikc_trace_direction */
	uint16_t to_port;
	uint16_t from_port;
	uint16_t reserved[3];
	uint8_t data[IKC_TRACE_DATA]; /* the payload's first bytes */
};

/* What passed while the monitor asked for it. Writer: the partition. */
struct ikc_trace {
	uint64_t written; /* records ever written; free-running, stored with release */
	uint8_t pad[56];
	struct ikc_trace_record records[IKC_TRACE_RECORDS]; /* record n is at n modulo their number */
};

/* A page or more per writer. */
struct ikc_partition {
	struct ikc_identity identity __attribute__((aligned(IKC_PAGE_SIZE)));
	struct ikc_mailbox mailbox __attribute__((aligned(IKC_PAGE_SIZE)));
	struct ikc_status status __attribute__((aligned(IKC_PAGE_SIZE)));
	struct ikc_report report __attribute__((aligned(IKC_PAGE_SIZE)));
	struct ikc_log log __attribute__((aligned(IKC_PAGE_SIZE)));
	struct ikc_trace trace __attribute__((aligned(IKC_PAGE_SIZE)));
	uint8_t pool[IKC_POOL_SIZE] __attribute__((aligned(IKC_PAGE_SIZE))); /* payloads that it lends */
};

/* ---- a link: two halves, [a][b] written by a alone and [b][a] written by b alone ---- */

/*
 * A message begins in a slot and takes as many consecutive slots as its payload needs. The stamp is
 * generation << 32 | (index + 1), index being free-running: a slot of an older life or an older lap
 * never has the stamp that its reader waits for. The first slot's stamp is stored last.
 */
struct ikc_slot {
	uint64_t stamp;
	uint32_t length;    /* bytes of payload of the whole message; in its first slot only */
	uint16_t to_port;
	uint16_t from_port;
	uint8_t data[IKC_SLOT_DATA];
};

_Static_assert(__builtin_offsetof(struct ikc_slot, data) + IKC_SLOT_LINE == 64, "one cache line");

/* What `receiver_waits` says. Who does not know a value that is not 0 rings at once: that does no harm. */
enum ikc_receiver_waits {
	IKC_RECEIVER_LOOKS = 0,
	IKC_RECEIVER_SLEEPS = 1, /* ring */
	IKC_RECEIVER_COMES_BY = 2, /* it looks before it sleeps; ring if that takes long, or for what it has not asked for */
};

/* What one side writes for one ring in each direction. Each word has a cache line of its own. */
struct ikc_cursor {
	uint32_t head __attribute__((aligned(64))); /* slots ever published in my ring to the peer */
	uint32_t tail __attribute__((aligned(64))); /* slots ever taken from the peer's ring to me */
	uint32_t receiver_waits __attribute__((aligned(64))); /* enum ikc_receiver_waits: ring me when you publish */
	uint32_t sender_waits __attribute__((aligned(64)));   /* ring me when you have taken */
};

struct ikc_counters {
	uint64_t sent;
	uint64_t received;
	uint64_t sent_bytes;
	uint64_t received_bytes;
	uint64_t full;		/* sends refused for want of room */
	uint64_t doorbells;	/* rung towards the peer */
	uint64_t interrupts;	/* in which this link was looked at */
	uint64_t resets;	/* times this end went to RESET */
	uint64_t refused;	/* messages for a port that nobody listens on */
};

/* One end of one channel. `state` is stored last, ordered; then ikc_half.channel_turn. */
struct ikc_channel {
	uint32_t state; /* enum ikc_channel_state */
	uint32_t life;	/* of the channel, counted by its opener; the other end repeats it */
	uint32_t start; /* index of this life's first slot in my ring */
	uint32_t vector; /* ring me on this one for it */
	uint16_t to_port; /* these four: what the opener asks for */
	uint16_t from_port;
	uint32_t magic;
	uint32_t packet_size; /* the longest message */
	uint32_t refusal;     /* enum ikc_channel_refusal */
	uint64_t sent;	      /* these four are counted over all lives */
	uint64_t received;
	uint64_t full; /* sends refused for want of room */
	uint64_t doorbells;
};

struct ikc_half {
	/*
	 * generation << 32 | generation of the other half that this end has adopted (0: none).
	 * A generation is incarnation << 16 | count of this end's lives; never 0 once written.
	 * One word, so that a reader never sees two lives mixed.
	 */
	uint64_t lives;
	uint32_t state;	       /* enum ikc_link_state */
	uint32_t reset_reason; /* enum ikc_reset_reason */
	uint32_t channel_turn; /* changes with every change of a state in `channels`; ordered */
	uint32_t reserved;
	struct ikc_cursor cursors[IKC_RINGS];
	struct ikc_counters counters __attribute__((aligned(64)));
	struct ikc_slot control[IKC_CONTROL_SLOTS] __attribute__((aligned(128)));
	struct ikc_slot data[IKC_DATA_SLOTS] __attribute__((aligned(128)));
	struct ikc_channel channels[IKC_CHANNELS] __attribute__((aligned(64)));
	struct ikc_cursor channel_cursors[IKC_CHANNELS];
	struct ikc_slot channel_slots[IKC_CHANNELS][IKC_CHANNEL_SLOTS] __attribute__((aligned(128)));
} __attribute__((aligned(IKC_PAGE_SIZE)));

/* ---- the scratch page: for self-tests that need two kernels; zero at first, used once in a run ---- */

/* Writer: the partition. */
struct ikc_scratch_mark {
	uint64_t added; /* to the sum */
	uint32_t phase; /* how far the test is; stored with release */
	uint32_t reserved;
};

struct ikc_scratch {
	uint64_t sum __attribute__((aligned(64))); /* writers: all of them, by locked additions */
	struct ikc_scratch_mark marks[IKC_PARTITIONS_MAX] __attribute__((aligned(64)));
};

/* ---- offsets are the ABI ---- */

#define IKC_ASSERT_AT(type, field, offset) \
	_Static_assert(__builtin_offsetof(type, field) == (offset), #type "." #field " moved")

IKC_ASSERT_AT(struct ikc_region, region_size, 8);
IKC_ASSERT_AT(struct ikc_region, partition_count, 24);
IKC_ASSERT_AT(struct ikc_region, partitions_offset, 32);
IKC_ASSERT_AT(struct ikc_region, half_stride, 56);
IKC_ASSERT_AT(struct ikc_segment, window_devfn, 24);
IKC_ASSERT_AT(struct ikc_identity, kernel_kind, 32);
IKC_ASSERT_AT(struct ikc_identity, segments, 48);
IKC_ASSERT_AT(struct ikc_mailbox, command, 8);
IKC_ASSERT_AT(struct ikc_mailbox, sequence, 12);
IKC_ASSERT_AT(struct ikc_mailbox, argument, 16);
IKC_ASSERT_AT(struct ikc_mailbox, trace, 24);
IKC_ASSERT_AT(struct ikc_status, answered, 8);
IKC_ASSERT_AT(struct ikc_status, heartbeat, 16);
IKC_ASSERT_AT(struct ikc_status, entry_ns, 32);
IKC_ASSERT_AT(struct ikc_status, report_valid, 48);
IKC_ASSERT_AT(struct ikc_status, panic_text, 64);
IKC_ASSERT_AT(struct ikc_status, memory_bytes, 64 + IKC_PANIC_TEXT_SIZE);
IKC_ASSERT_AT(struct ikc_status, processes, 80 + IKC_PANIC_TEXT_SIZE);
IKC_ASSERT_AT(struct ikc_status, offloads, 88 + IKC_PANIC_TEXT_SIZE);
IKC_ASSERT_AT(struct ikc_status, offload_ns, 96 + IKC_PANIC_TEXT_SIZE);
IKC_ASSERT_AT(struct ikc_report, cpus, 16);
IKC_ASSERT_AT(struct ikc_report, ranges, 16 + 8 * IKC_REPORT_CPUS_MAX);
IKC_ASSERT_AT(struct ikc_log, written, 8);
IKC_ASSERT_AT(struct ikc_log, data, 64);
IKC_ASSERT_AT(struct ikc_partition, mailbox, 4096);
IKC_ASSERT_AT(struct ikc_partition, status, 8192);
IKC_ASSERT_AT(struct ikc_partition, report, 12288);
IKC_ASSERT_AT(struct ikc_trace_record, generation, 16);
IKC_ASSERT_AT(struct ikc_trace_record, peer, 24);
IKC_ASSERT_AT(struct ikc_trace_record, data, 40);
IKC_ASSERT_AT(struct ikc_trace, records, 64);
IKC_ASSERT_AT(struct ikc_partition, log, 86016);
IKC_ASSERT_AT(struct ikc_partition, trace, 352256);
IKC_ASSERT_AT(struct ikc_partition, pool, 479232);
IKC_ASSERT_AT(struct ikc_slot, length, 8);
IKC_ASSERT_AT(struct ikc_slot, to_port, 12);
IKC_ASSERT_AT(struct ikc_slot, data, 16);
IKC_ASSERT_AT(struct ikc_cursor, tail, 64);
IKC_ASSERT_AT(struct ikc_cursor, sender_waits, 192);
IKC_ASSERT_AT(struct ikc_channel, vector, 12);
IKC_ASSERT_AT(struct ikc_channel, magic, 20);
IKC_ASSERT_AT(struct ikc_channel, sent, 32);
IKC_ASSERT_AT(struct ikc_half, state, 8);
IKC_ASSERT_AT(struct ikc_half, channel_turn, 16);
IKC_ASSERT_AT(struct ikc_half, cursors, 64);
IKC_ASSERT_AT(struct ikc_half, counters, 576);
IKC_ASSERT_AT(struct ikc_half, control, 768);
IKC_ASSERT_AT(struct ikc_half, data, 2816);
IKC_ASSERT_AT(struct ikc_half, channels, 35584);
IKC_ASSERT_AT(struct ikc_half, channel_cursors, 37632);
IKC_ASSERT_AT(struct ikc_half, channel_slots, 45824);
IKC_ASSERT_AT(struct ikc_scratch_mark, phase, 8);
IKC_ASSERT_AT(struct ikc_scratch, marks, 64);
_Static_assert(sizeof(struct ikc_scratch) <= IKC_PAGE_SIZE, "ikc_scratch is larger than its page");
_Static_assert(sizeof(struct ikc_region) == 64, "ikc_region grew");
_Static_assert(sizeof(struct ikc_identity) <= IKC_PAGE_SIZE, "ikc_identity is larger than its page");
_Static_assert(sizeof(struct ikc_status) <= IKC_PAGE_SIZE, "ikc_status is larger than its page");
_Static_assert(sizeof(struct ikc_slot) == IKC_SLOT_SIZE, "ikc_slot grew");
_Static_assert(sizeof(struct ikc_channel) == 64, "ikc_channel grew");
_Static_assert(sizeof(struct ikc_reference) == 16, "ikc_reference grew");
_Static_assert(sizeof(struct ikc_trace_record) == 120, "ikc_trace_record grew");
_Static_assert(sizeof(struct ikc_partition) % IKC_PAGE_SIZE == 0, "ikc_partition is not whole pages");
_Static_assert(sizeof(struct ikc_half) % IKC_PAGE_SIZE == 0, "ikc_half is not whole pages");

/* ---- where things are ---- */

/*
 * The region as this kernel sees it: a private copy of what the header said when it was checked. The header
 * itself is never read again: any kernel of the enclave can write there.
 */
struct ikc_map {
	uintptr_t base;
	uint64_t size;
	uint64_t run_id;
	uint64_t partitions; /* offsets of the tables */
	uint64_t halves;
	uint32_t partition_count;
	uint32_t monitor_id;
};

static inline struct ikc_partition *ikc_partition_at(const struct ikc_map *map, uint32_t index)
{
	return (struct ikc_partition *)(map->base + map->partitions) + index;
}

static inline struct ikc_half *ikc_half_at(const struct ikc_map *map, uint32_t from, uint32_t to)
{
	return (struct ikc_half *)(map->base + map->halves) + (uint64_t)from * map->partition_count + to;
}

/* A null pointer if the tables need the whole region. */
static inline struct ikc_scratch *ikc_scratch_at(const struct ikc_map *map)
{
	uintptr_t at = map->base + map->size - IKC_PAGE_SIZE;

	if ((uintptr_t)ikc_partition_at(map, map->partition_count) > at ||
	    (uintptr_t)ikc_half_at(map, map->partition_count, 0) > at)
		return (void *)0;
	return (struct ikc_scratch *)at;
}

static inline const char *ikc_header_fault(const struct ikc_region *region, uint64_t mapped)
{
	uint64_t count = region->partition_count;
	uint64_t size = region->region_size;

	if (region->magic != IKC_MAGIC)
		return "no IKC magic at its start";
	if (region->abi_major != IKC_ABI_MAJOR)
		return "another ABI version";
	if (size > mapped)
		return "larger than the BAR that shows it";
	if (count == 0 || count > IKC_PARTITIONS_MAX)
		return "an impossible number of partitions";
	if (region->partition_stride != sizeof(struct ikc_partition) ||
	    region->half_stride != sizeof(struct ikc_half))
		return "strides of another layout";
	if (region->partitions_offset % IKC_PAGE_SIZE || region->halves_offset % IKC_PAGE_SIZE)
		return "unaligned tables";
	if (region->partitions_offset > size || region->halves_offset > size ||
	    count * region->partition_stride > size - region->partitions_offset ||
	    count * count * region->half_stride > size - region->halves_offset)
		return "tables that end beyond it";
	return (void *)0;
}

/*
 * Maps the region at `base`; `mapped` is the size of the BAR in bytes. The monitor who wrote the header is
 * trusted, but may be another build. Returns what is wrong, in words, or a null pointer.
 */
static inline const char *ikc_map_region(struct ikc_map *map, const void *base, uint64_t mapped)
{
	const char *fault;
	struct ikc_region header;

	__builtin_memcpy(&header, base, sizeof(header));
	fault = ikc_header_fault(&header, mapped);
	if (fault)
		return fault;
	map->base = (uintptr_t)base;
	map->size = header.region_size;
	map->run_id = header.run_id;
	map->partitions = header.partitions_offset;
	map->halves = header.halves_offset;
	map->partition_count = header.partition_count;
	map->monitor_id = header.monitor_id;
	return (void *)0;
}

#endif
