/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inter-kernel communication, as the rest of the kernel uses it. A peer is named by its index in
 * the enclave.
 */
#ifndef LWK_IKC_H
#define LWK_IKC_H

#include <ikc/ikc_ring.h>
#include <lwk/types.h>

/*
 * Finds the IKC region, says BOOTING there, and attaches the log and the panic hook. On CPU 0, once
 * devices can be mapped. Without an ivshmem device or a valid region it logs that, and nothing else
 * here does anything.
 */
void ikc_init(void);

/*
 * Publishes the topology, starts all links and says READY. On CPU 0, with all CPUs online and
 * interrupts on.
 */
void ikc_start(void);

/*
 * Who listens on a port. All calls come from CPU 0's work, interrupts on, one at a time; they may
 * send. What is in `message` and `payload` is a private copy, and still a stranger's: check it.
 */
struct ikc_listener {
	uint16_t port;

	/*
	 * 0: done with it. -EAGAIN: keep it, and give it to me again when this peer has made room
	 * for what I send.
	 */
	int (*receive)(uint32_t peer, const struct ikc_message *message, const void *payload);

	/*
	 * The peer has made room, after one of my sends to it (or ikc_wait_for_room) gave -EAGAIN.
	 * May be NULL.
	 */
	void (*room)(uint32_t peer);

	/* The link came up, or went down with all that was under way on it. May be NULL. */
	void (*link)(uint32_t peer, bool up);

	struct ikc_listener *next;
};

/* Before ikc_start(), or from CPU 0's work. -EEXIST: the port is taken. */
int ikc_listen(struct ikc_listener *listener);

/*
 * Sends one message; never blocks. Any context but NMI. 0; -ENXIO (no such peer), -ENOTCONN (the
 * link is not up), -EMSGSIZE, -EAGAIN (no room now: each listener's room() is called when there
 * is).
 */
int ikc_send_message(uint32_t peer, uint16_t from_port, uint16_t to_port, const void *payload,
		     uint32_t length);

/* What ikc_send_message() would say now to a message of this length, without sending it. */
int ikc_wait_for_room(uint32_t peer, uint32_t length);

/* "lwk1"; of an existing peer. */
const char *ikc_peer_name(uint32_t peer);

#endif
