/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two halves of the explorer: explore_step.c makes one step, explore.c searches. */
#ifndef EXPLORE_STEP_H
#define EXPLORE_STEP_H

#include "explore.h"

#define EXPLORE_WORDS 64
#define EXPLORE_LOG 64
#define EXPLORE_BUFFER 8

struct pending {
	uint64_t value;
	uint8_t word;
	uint8_t order;
};

struct thread {
	uint64_t locals[EXPLORE_LOCALS / 8];
	uint64_t log[EXPLORE_LOG]; /* what the accesses of the present operation gave so far */
	struct pending buffer[EXPLORE_BUFFER];
	uint8_t logged;
	uint8_t buffered;
	bool rung;
	bool ended;
};

struct state {
	uint64_t words[EXPLORE_WORDS];
	struct thread threads[EXPLORE_THREADS];
};

enum kind { LOAD, STORE, SWAP, AWAIT, RING, WAIT, KILL, START, DRAIN };

struct move {
	uint8_t thread;
	uint8_t kind;
	uint8_t word; /* or the thread that was rung, killed, started */
	uint64_t value;
};

/* What the last step was. */
struct step {
	struct move move;
	bool optional;
	uint32_t choices; /* that its access offered */
	const char *fault;
};

extern struct state step_state; /* is changed by the steps below */
extern struct step step;

/* The first state of a model. */
void step_begin(const struct explore_model *model);

/* A thread makes its next access, and this choice if it is one. False: it cannot. */
bool step_thread(uint32_t thread, uint32_t choice);

/* Store i of a thread's buffer reaches memory. */
bool step_may_drain(const struct thread *thread, uint32_t i);
void step_drain(uint32_t thread, uint32_t i);

void step_check(void (*check)(void *const locals[]));

/* How many words the model has, and what one is called. */
uint32_t step_words(void);
const char *step_word_name(uint32_t word);

#endif
