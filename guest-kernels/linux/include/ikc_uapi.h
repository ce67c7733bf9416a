/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /dev/ikc, as programs see it: each open file is an endpoint, which sends and receives whole
 * messages on one port of this partition, like a datagram socket.
 *
 * Reliable and in order between two endpoints while the link between their partitions is in RUN. An
 * endpoint that does not read holds up its senders (their rings fill, they get EAGAIN), and loses
 * nothing. When a link is reset, every endpoint that spoke over it is told once by ENETRESET.
 *
 * poll(): POLLIN a message or an error is there for RECEIVE; POLLOUT a message of any size can be sent
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

#endif
