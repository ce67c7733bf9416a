/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a few small threads, by depth-first search over their states.
 *
 * A thread is a function that runs one operation (a send, a look, a step) on private `locals`; it
 * is called again and again. Between any two of its accesses to shared words all others may run.
 * The code under test is the shipped code: explore_atomic.h turns its loads and stores into calls
 * of this file. To go one access further, an operation is run again from its start with the values
 * that it has loaded so far, and left at the next access; its private state counts only once it has
 * returned. So an operation must depend on nothing but locals and loads.
 *
 * Stores of a thread wait in its store buffer, as on x86: later loads overtake them, ordered stores
 * do not leave before them, they reach memory one by one and in order. With `weak_stores` they keep
 * only the order that release asks for, as on an Arm processor.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS 5
#define EXPLORE_LOCALS 512

struct explore_model {
	const char *name;
	uint32_t threads;
	const char *thread_names[EXPLORE_THREADS];
	size_t locals_size;
	bool weak_stores;

	/*
	 * Names the shared words, whose contents are their first values, and fills in zeroed
	 * locals.
	 */
	void (*setup)(void *const locals[]);

	/* One operation of a thread. */
	void (*run)(uint32_t thread, void *locals);

	/*
	 * explore_fail() if the locals of all threads, as of their last whole operations, cannot
	 * be. May be NULL.
	 */
	void (*check_state)(void *const locals[]);

	/* The same, where no thread has to move any more. */
	void (*check_settled)(void *const locals[]);

	/* A store to shared memory that is no word of the model; dropped. May be NULL. */
	void (*other_store)(const void *address, uint64_t value);
};

/*
 * Explores all of the model and checks that it has this fault, or none (NULL). Faults are:
 * explore_fail() in an operation or a check; and a state that comes back by moves of the threads
 * alone (a livelock). If it is another than expected, the moves that led there are printed.
 */
void explore_expect(const struct explore_model *model, const char *fault);

/* The livelock. */
extern const char *const explore_livelock;

/* ---- for setup ---- */

/* All shared memory; what is not a word there reads as it is, and stores to it are dropped. */
void explore_arena(const void *base, size_t size);
__attribute__((format(printf, 3, 4))) void explore_word(const void *address, size_t size,
							const char *name, ...);

/* ---- for operations; each is one step, but for those that say otherwise ---- */

enum explore_order { EXPLORE_RELAXED, EXPLORE_RELEASE, EXPLORE_ORDERED };

uint64_t explore_load(const void *address, size_t size, enum explore_order order);
/* A step of its own only if ordered; else it goes to the store buffer at once. */
void explore_store(const void *address, size_t size, uint64_t value, enum explore_order order);
bool explore_compare_and_swap(const void *address, size_t size, uint64_t expected, uint64_t value);

/* A lock: cannot go on before the bit is clear; sets it, and gives the word as it was. */
uint64_t explore_lock(const void *address, size_t size, uint64_t bit);

/* Cannot go on before the word has this value, or another than this. */
void explore_await(const void *address, size_t size, uint64_t value);
void explore_await_other(const void *address, size_t size, uint64_t value);

/*
 * Copies payload into or out of shared memory, word by word; a word of it that the model does not
 * name stays behind. Between private memory it copies all.
 */
void explore_copy(void *to, const void *from, size_t size);

/* Wakes a thread, or makes its next sleep short. */
void explore_ring(uint32_t thread);

/*
 * Sleeps until rung: 0. Or does something that a thread may do but need not: 1 to `others`, which
 * explore_skip() takes back if it may not do that now.
 */
uint32_t explore_wait(uint32_t others);
_Noreturn void explore_skip(void);

/*
 * A thread stops for good, wherever it is. Of its stores those arrive that have left its buffer:
 * the others it had not come to yet. Then: it begins, with these locals.
 */
void explore_kill(uint32_t thread);
void explore_start(uint32_t thread, const void *locals);

/* This thread is done once its operation returns. No step. */
void explore_end(void);

/* For the checks: what a word holds in memory. */
uint64_t explore_peek(const void *address);

/* No step. */
_Noreturn void explore_fail(const char *what);

#endif
