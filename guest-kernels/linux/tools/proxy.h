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
#include "ikc_uapi.h"
#include "ikc_process.h"

struct proxy {
	char partition[IKC_NAME_SIZE];
	int channel;
	int space;
	int first_own_fd; /* this and the next two are no files of the program */
};

struct proxy_wishes {
	const char *partition;
	const char *name; /* of the process */
	bool traces;
	uint64_t look_ns; /* that either side looks for the other's word before it sleeps */
};

/* Asks for a process there. Exits with words if that does not work, as all of these do. */
struct proxy proxy_open(const struct proxy_wishes *wishes);

/* The first answer: there is one. It has its memory in this process, too, from now on. */
void proxy_take_process(struct proxy *proxy);

/* Who waits for a message looks for so long before he sleeps: from IKC_PROCESS_BEGINNING on. Before, it is longer. */
void proxy_look(const struct proxy *proxy, uint64_t ns);

/* How many files the proxy has for itself, from first_own_fd on. */
#define PROXY_OWN_FDS 3

/* Which of them is views.c's. */
#define PROXY_TREE_FD 2

/*
 * Before it runs: asks for something, and gets the answers in the same order; who asks for all that he can before he
 * takes the first answer waits once, and all go in one. Exits if there is none. proxy_take_answer() returns its number.
 */
void proxy_ask(const struct proxy *proxy, const struct ikc_process_message *message);
int64_t proxy_take_answer(const struct proxy *proxy, struct ikc_process_message *answer);

/* Both: *message is the answer afterwards. */
int64_t proxy_exchange(const struct proxy *proxy, struct ikc_process_message *message);

/* Nothing of this range is reached by this process any more, until it looks anew. */
void proxy_zap(const struct proxy *proxy, uint64_t start, uint64_t length);

/* The process is over: nothing of it is reached by this process any more. */
void proxy_end(const struct proxy *proxy);

/* Prints what the LWK says of its memory: processes, free and all pages, free pages of each node. */
void proxy_tell_memory(const char *partition);

/* Sends a message; the next one is received by whoever asks first. False: the process on the LWK is over, see errno. */
bool proxy_send(const struct proxy *proxy, const struct ikc_process_message *message);
bool proxy_receive(const struct proxy *proxy, struct ikc_process_message *message);

/*
 * One of several threads: sends what is in *turn, if it has a length, and takes the next message when it is its turn
 * (ikc_uapi.h). EINTR: a signal.
 */
bool proxy_turn(const struct proxy *proxy, struct ikc_turn *turn);

_Static_assert(sizeof(struct ikc_process_message) <= IKC_TURN_LENGTH, "a turn has room for a message");

static inline struct ikc_process_message *proxy_turn_message(struct ikc_turn *turn)
{
	return (struct ikc_process_message *)turn->message;
}

/* Says why the partition does not answer, by errno, and exits. */
__attribute__((noreturn)) void proxy_lost(const struct proxy *proxy);

#endif
