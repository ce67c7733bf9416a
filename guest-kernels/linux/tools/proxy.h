/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This process as the proxy of a process on an LWK (docs/offload-protocol.md): the channel between the two, and
 * the memory that both have.
 */
#ifndef PROXY_H
#define PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "ikc_process.h"

struct proxy {
	char partition[IKC_NAME_SIZE];
	int channel;
	int space;
	int first_own_fd; /* this and the next two are no files of the program */
};

/* Makes a process of that name there, which has no memory yet. Exits with words if that does not work. */
struct proxy proxy_open(const char *partition, const char *name, bool traces);

/* How many files the proxy has for itself, from first_own_fd on. */
#define PROXY_OWN_FDS 3

/* Which of them is views.c's. */
#define PROXY_TREE_FD 2

/* Before it runs: asks for something, and returns the number of the answer. Exits if there is none. */
int64_t proxy_ask(const struct proxy *proxy, uint32_t kind, uint64_t first, uint64_t second, uint64_t third);

/* As proxy_ask, with a whole message, which is the answer afterwards. */
int64_t proxy_exchange(const struct proxy *proxy, struct ikc_process_message *message);

/* Nothing of this range is reached by this process any more, until it looks anew. */
void proxy_zap(const struct proxy *proxy, uint64_t start, uint64_t length);

/* Prints what the LWK says of its memory: processes, free and all pages, free pages of each node. */
void proxy_tell_memory(const char *partition);

/* Sends a message; the next one is received by whoever asks first. False: the process on the LWK is over, see errno. */
bool proxy_send(const struct proxy *proxy, const struct ikc_process_message *message);
bool proxy_receive(const struct proxy *proxy, struct ikc_process_message *message);

/* Says why the partition does not answer, by errno, and exits. */
__attribute__((noreturn)) void proxy_lost(const struct proxy *proxy);

#endif
