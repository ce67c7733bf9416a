/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /dev/ikc, as programs see it: each open file is an endpoint, which sends and receives whole
 * messages on one port of this partition, like a datagram socket.
 *
 * Reliable and in order between two endpoints while the link between their partitions is in RUN. An
 * endpoint that does not read holds up its senders (their rings fill, they get EAGAIN), and loses
 * nothing. When a link is reset, every endpoint that spoke over it is told once by ENETRESET.
 *
 * An open file can also open channels to other partitions, and listen for those that they open: each is a
 * file of its own ("a channel", below).
 *
 * poll(): POLLIN a message or an error is there for RECEIVE, or a channel for ACCEPT; POLLOUT a message of any size can be sent
 * to the connected address (not connected: always); POLLERR an error waits to be told; POLLHUP the
 * device is going away. mmap(): the region, read only (guest-kernels/ikc/ikc_layout.h).
 *
 * Every ioctl: ENODEV when the device is going away, EFAULT, ENOTTY for an unknown number, EINVAL when
 * a reserved field is not 0. Those that wait: EINTR; with O_NONBLOCK, EAGAIN in place of waiting.
 */
#ifndef IKC_UAPI_H
#define IKC_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

struct ikc_info {
	__u32 own_id;
	__u32 partition_count;
	__u32 monitor_id;
	__u32 incarnation;
	__u64 run_id;
	__u64 region_size; /* bytes, of the mmap */
};

struct ikc_address {
	__u32 partition;
	__u16 port;
	__u16 reserved;
};

struct ikc_transfer {
	struct ikc_address address; /* SEND: the receiver; RECEIVE: filled in, the sender */
	__u32 length;		    /* bytes; RECEIVE: in, room in the buffer; out, of the message */
	__u32 reserved;
	__u64 buffer;		    /* user address */
};

struct ikc_round_trip {
	__u32 partition;
	__u32 timeout_ms;
	__u64 round_trip_ns; /* out: from the sending to the handling of the answer, in the kernel */
};

#define IKC_IOCTL 0xb9

/* Tells who and where we are. */
#define IKC_IOCTL_INFO _IOR(IKC_IOCTL, 0, struct ikc_info)

/*
 * Takes a port of this partition; port 0: any free one of the ephemeral range. Out: the port taken.
 * address.partition is ignored. EADDRINUSE: another endpoint has it, or none is free. EINVAL: this
 * endpoint has a port already.
 */
#define IKC_IOCTL_BIND _IOWR(IKC_IOCTL, 1, struct ikc_address)

/*
 * Speaks with this address alone from now on: messages from others are refused. Takes an ephemeral port
 * if none is bound. Nothing is sent, and the link need not be up: POLLOUT tells when it is.
 * EHOSTUNREACH: no such partition, or this one. EADDRINUSE: no port is free. EISCONN.
 */
#define IKC_IOCTL_CONNECT _IOW(IKC_IOCTL, 2, struct ikc_address)

/*
 * Sends one message, and waits for room. ENOTCONN: the link is not in RUN. ENETRESET: it was reset since
 * this endpoint last used it (told once). ECONNREFUSED: nobody listens on the connected address (told
 * once, after the fact). EAGAIN: no room. EMSGSIZE: longer than IKC_MESSAGE_MAX. EHOSTUNREACH: no such
 * partition, or this one. EDESTADDRREQ: port 0. EISCONN: connected to another address.
 * An endpoint without a port is given an ephemeral one (EADDRINUSE: none is free).
 */
#define IKC_IOCTL_SEND _IOW(IKC_IOCTL, 3, struct ikc_transfer)

/*
 * Takes one message, and waits for one. EMSGSIZE: `length`, now set, is more than the buffer has; the
 * message stays. ENETRESET: the link to address.partition, now set, was reset; told once, after the
 * messages that came before. ECONNREFUSED: as with SEND. EAGAIN: none is there. EINVAL: no port bound.
 * EFAULT: the message is gone.
 */
#define IKC_IOCTL_RECEIVE _IOWR(IKC_IOCTL, 4, struct ikc_transfer)

/*
 * Sends a PING on the control ring, when it has room, and waits for its PONG: at most timeout_ms. ETIMEDOUT.
 * ENOTCONN: the link is not in RUN. ENETRESET: it was reset meanwhile.
 * EHOSTUNREACH: no such partition, or this one.
 */
#define IKC_IOCTL_PING _IOWR(IKC_IOCTL, 5, struct ikc_round_trip)

/* Tells the monitor that this partition is READY: called by init when it can be used. */
#define IKC_IOCTL_READY _IO(IKC_IOCTL, 6)

/* ---- channels ---- */

struct ikc_listen {
	__u16 port;
	__u16 reserved;
	__u32 magic;	   /* what protocol is spoken there */
	__u32 packet_size; /* longest message, 1 to IKC_MESSAGE_MAX */
};

struct ikc_open {
	struct ikc_address address; /* OPEN: whom to speak to; ACCEPT: out, who opened it */
	__u32 magic;
	__u32 packet_size;
	__u32 timeout_ms; /* OPEN: at most so long */
	__u32 refusal;	  /* OPEN, ECONNREFUSED: out, enum ikc_channel_refusal */
	__s32 fd;	  /* out: the channel, close-on-exec */
	__u32 reserved;
};

/*
 * Takes channels that are opened to this port of this partition; ports for messages are others. EADDRINUSE:
 * another file does. EINVAL: port 0, a packet size that cannot be, or this file listens already.
 */
#define IKC_IOCTL_LISTEN _IOW(IKC_IOCTL, 7, struct ikc_listen)

/* The next channel that was opened to the port, and waits for one. EAGAIN; EINVAL: does not listen. */
#define IKC_IOCTL_ACCEPT _IOWR(IKC_IOCTL, 8, struct ikc_open)

/*
 * Opens a channel, and waits for the answer, with O_NONBLOCK too. ECONNREFUSED: `refusal` tells why.
 * ETIMEDOUT. ENOTCONN: the link is not in RUN. ENETRESET: it was reset meanwhile. EBUSY: all channels that this
 * partition may open to that one are in use. EHOSTUNREACH: no such partition, or this one. EINVAL.
 */
#define IKC_IOCTL_OPEN _IOWR(IKC_IOCTL, 9, struct ikc_open)

/*
 * A channel. write(): one message, whole; waits for room. One that is longer than the channel's packets, up to
 * IKC_POOL_SIZE, is lent: it lies in this partition's pool until the peer has taken it. EMSGSIZE: longer than that.
 * read(): one message; waits for one. EMSGSIZE: the buffer is too small, and the message stays; FIONREAD tells
 * its length (0: none is there). Two at once take turns.
 *
 * EPIPE: the peer has closed it; read() first gives what was sent before that. ENETRESET: the link was reset, and
 * what was on its way is lost. Both for good. EAGAIN with O_NONBLOCK. ENODEV.
 *
 * poll(): POLLIN a message or an error is there; POLLOUT a message of the packet size can be sent; POLLHUP the peer
 * has closed it, or the link was reset, or the device is going away.
 */

struct ikc_several {
	__u64 messages; /* user address: `count` of them, one behind the other */
	__u32 length;	/* of each, at most a packet; all together at most IKC_MESSAGE_MAX */
	__u32 count;
};

/*
 * Sends them, as write() does, and rings the peer once for all. Returns how many: those there is room for, and it waits until
 * there is for the first. EMSGSIZE. EINVAL: none.
 */
#define IKC_IOCTL_SEVERAL _IOW(IKC_IOCTL, 18, struct ikc_several)

/* Serves the channel on that CPU: its doorbells arrive there. EBUSY: all vectors arrive elsewhere. EINVAL. */
#define IKC_IOCTL_SERVE _IOW(IKC_IOCTL, 10, __u32)

/* read() and TURN look for a message so many ns, unless others want the CPU, at most a second. 0, as at first: sleep at once. */
#define IKC_IOCTL_SPIN _IOW(IKC_IOCTL, 11, __u64)

/* Measures over this channel, to port IKC_PORT_BENCH of the peer, in the kernel (ikc_bench.h). */
struct ikc_measure {
	__u32 kind;
	__u32 size;
	__u32 count;
	__u32 peer_cpu;
	__u32 fault; /* out: enum ikc_bench_fault */
	__u32 reserved;
	__u64 ns; /* out: of all `count` together */
};

/* EINVAL: a kind, size or count that cannot be. EPROTO: the answer makes no sense. As read() and write(). */
#define IKC_IOCTL_MEASURE _IOWR(IKC_IOCTL, 12, struct ikc_measure)

#define IKC_STOPS_LENGTH 128

struct ikc_stops {
	__u32 length; /* of each of the two, 1 to IKC_STOPS_LENGTH */
	__u32 reserved;
	__u8 stopped[IKC_STOPS_LENGTH];
	__u8 continued[IKC_STOPS_LENGTH];
};

/*
 * While the channel is open its peer is sent one of these messages when the process that asks for it is stopped by a
 * signal, and the other when it goes on: within 100 ms. EBUSY: there is one already. EINVAL.
 */
#define IKC_IOCTL_STOPS _IOW(IKC_IOCTL, 17, struct ikc_stops)

#define IKC_TURN_LENGTH 112

struct ikc_turn {
	__u32 length; /* 0: nothing is sent. Out, if there is an error: 0, when it had been sent before that */
	__u32 looks;  /* 0: sleeps at once, and behind those that have looked */
	__u64 message[IKC_TURN_LENGTH / 8]; /* Out: the next one */
};

/*
 * Of a channel whose messages several threads take: sends one, as write() does, and then takes the next one, as read()
 * does, and returns its length. Who is free looks for a message for as long as SPIN says, one thread at a time, and then sleeps;
 * one is woken for each message, who slept last first. Not to be mixed with read(). EMSGSIZE: the channel's packets are longer
 * than IKC_TURN_LENGTH, or a message was lent.
 */
#define IKC_IOCTL_TURN _IOWR(IKC_IOCTL, 15, struct ikc_turn)

/*
 * TURN fails by EINTR when one of these signals, a bit each, is pending for the thread or the process, although all threads
 * block them; it stays pending. They need handlers, or Linux does by default what they are for.
 */
#define IKC_IOCTL_SIGNALS _IOW(IKC_IOCTL, 19, __u64)

/* Stops the process, as by SIGSTOP. EINTR: not while SIGCONT, one of SIGNALS, is pending. */
#define IKC_IOCTL_STOP _IO(IKC_IOCTL, 20)

/* ---- /dev/ikc-window-<partition> ---- */

struct ikc_space_open {
	__u64 root; /* physical address of the process's page table */
	__u64 reserved;
};

/*
 * Of a window: the address space of a process in that partition (guest-kernels/ikc/ikc_process.h). Returns a file
 * for it, close-on-exec. mmap() it shared, at an address that is the offset too: the process's memory is there, as
 * its page table says at each fault (SIGBUS: nothing, or not to be written; EFAULT in system calls), and has struct
 * pages. ENOTCONN: the partition is not alive. When that life of it ends all of the space's pages are gone. EINVAL.
 */
#define IKC_IOCTL_SPACE _IOW(IKC_IOCTL, 13, struct ikc_space_open)

struct ikc_range {
	__u64 start;
	__u64 length;
};

/*
 * Of a space: no page of the range is mapped any more, and nobody in Linux has hold of one that he got before; the next access
 * asks the page table. EINVAL.
 */
#define IKC_IOCTL_ZAP _IOW(IKC_IOCTL, 14, struct ikc_range)

/* Of a space: the same of all of it, for good. Closing a descriptor of a space that was mapped does it too. */
#define IKC_IOCTL_END _IO(IKC_IOCTL, 16)

#endif
