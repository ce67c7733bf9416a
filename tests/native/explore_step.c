/* SPDX-License-Identifier: Apache-2.0 */
#include "explore_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "check.h"

#define NO_WORD 0xff

struct state step_state;
struct step step;

static const struct explore_model *model;

static struct {
	const uint8_t *base;
	size_t size;
	uint8_t *word_at; /* of each byte of the arena */
	uint32_t words;
	uint8_t word_size[EXPLORE_WORDS];
	char names[EXPLORE_WORDS][32];
	uint64_t first[EXPLORE_WORDS];
} arena;

/* The step that is being made. */
static struct {
	struct thread *thread;
	uint8_t index;
	uint32_t at; /* in the log */
	bool spent;  /* its one access is made: the next one ends it */
	bool blocked;
	uint32_t choice;
	uint32_t fresh; /* threads that were started */
	jmp_buf leave;
} now;

void explore_fail(const char *what)
{
	step.fault = what;
	longjmp(now.leave, 1);
}

void explore_arena(const void *base, size_t size)
{
	free(arena.word_at);
	arena.base = base;
	arena.size = size;
	arena.words = 0;
	arena.word_at = malloc(size);
	CHECK(arena.word_at);
	memset(arena.word_at, NO_WORD, size);
}

static bool in_arena(const void *address)
{
	return (const uint8_t *)address >= arena.base &&
	       (const uint8_t *)address < arena.base + arena.size;
}

static uint8_t word_at(const void *address)
{
	return arena.word_at[(const uint8_t *)address - arena.base];
}

void explore_word(const void *address, size_t size, const char *name, ...)
{
	uint32_t word = arena.words++;
	va_list arguments;

	CHECK(word < EXPLORE_WORDS && in_arena(address) && size <= 8);
	arena.word_at[(const uint8_t *)address - arena.base] = (uint8_t)word;
	arena.word_size[word] = (uint8_t)size;
	arena.first[word] = 0;
	memcpy(&arena.first[word], address, size);
	va_start(arguments, name);
	vsnprintf(arena.names[word], sizeof(arena.names[word]), name, arguments);
	va_end(arguments);
}

/* ---- accesses ---- */

/* True if this access was made in an earlier step: then *value is what it gave. */
static bool replayed(uint64_t *value)
{
	if (now.at == now.thread->logged)
		return false;
	*value = now.thread->log[now.at++];
	return true;
}

static void record(uint64_t value)
{
	CHECK(now.thread->logged < EXPLORE_LOG);
	now.thread->log[now.thread->logged++] = value;
	now.at = now.thread->logged;
}

static void spend(enum kind kind, uint8_t word, bool possible)
{
	if (now.spent)
		longjmp(now.leave, 1);
	if (!possible) {
		now.blocked = true;
		longjmp(now.leave, 1);
	}
	now.spent = true;
	step.move = (struct move){ now.index, kind, word, 0 };
}

static uint64_t spend_done(uint64_t value)
{
	step.move.value = value;
	record(value);
	return value;
}

static void drain(struct thread *thread, uint32_t i)
{
	step_state.words[thread->buffer[i].word] = thread->buffer[i].value;
	thread->buffered--;
	memmove(&thread->buffer[i], &thread->buffer[i + 1],
		(thread->buffered - i) * sizeof(thread->buffer[0]));
	memset(&thread->buffer[thread->buffered], 0, sizeof(thread->buffer[0]));
}

/*
 * The oldest store leaves unnoticed if it changes nothing: a word has one writer, so nobody can
 * tell when.
 */
static void drain_unnoticed(struct thread *thread)
{
	while (thread->buffered &&
	       step_state.words[thread->buffer[0].word] == thread->buffer[0].value)
		drain(thread, 0);
}

bool step_may_drain(const struct thread *thread, uint32_t i)
{
	if (i == 0 || !model->weak_stores)
		return i == 0 && thread->buffered;
	for (uint32_t earlier = 0; earlier < i; earlier++)
		if (thread->buffer[i].order != EXPLORE_RELAXED ||
		    thread->buffer[earlier].word == thread->buffer[i].word)
			return false;
	return true;
}

/* A thread sees its own stores before anybody else does. */
static uint64_t value_seen(uint8_t word)
{
	for (uint32_t i = now.thread->buffered; i-- > 0;)
		if (now.thread->buffer[i].word == word)
			return now.thread->buffer[i].value;
	return step_state.words[word];
}

static bool has_ordered_stores(void)
{
	for (uint32_t i = 0; i < now.thread->buffered; i++)
		if (now.thread->buffer[i].order == EXPLORE_ORDERED)
			return true;
	return false;
}

uint64_t explore_load(const void *address, size_t size, enum explore_order order)
{
	uint8_t word = in_arena(address) ? word_at(address) : NO_WORD;
	uint64_t value = 0;

	if (word == NO_WORD) {
		memcpy(&value, address, size);
		return value;
	}
	CHECK_EQ(size, arena.word_size[word]);
	if (replayed(&value))
		return value;
	spend(LOAD, word, order != EXPLORE_ORDERED || !has_ordered_stores());
	return spend_done(value_seen(word));
}

static void buffer_store(uint8_t word, uint64_t value, enum explore_order order)
{
	struct thread *thread = now.thread;

	if (thread->buffered ==
	    EXPLORE_BUFFER) { /* a step that ends here is made again when there is room */
		now.blocked = !now.spent;
		longjmp(now.leave, 1);
	}
	memset(&thread->buffer[thread->buffered], 0, sizeof(thread->buffer[0]));
	thread->buffer[thread->buffered].word = word;
	thread->buffer[thread->buffered].order = (uint8_t)order;
	thread->buffer[thread->buffered++].value = value;
	record(0);
	drain_unnoticed(thread);
}

void explore_store(const void *address, size_t size, uint64_t value, enum explore_order order)
{
	uint8_t word = in_arena(address) ? word_at(address) : NO_WORD;
	uint64_t unused;

	value &= ~0ull >> (64 - 8 * size);
	if (word == NO_WORD) {
		CHECK(in_arena(address));
		if (model->other_store)
			model->other_store(address, value);
		return;
	}
	CHECK_EQ(size, arena.word_size[word]);
	if (replayed(&unused))
		return;
	if (order != EXPLORE_ORDERED || model->weak_stores) {
		buffer_store(word, value, order);
		return;
	}
	spend(STORE, word, !now.thread->buffered);
	step_state.words[word] = spend_done(value);
}

bool explore_compare_and_swap(const void *address, size_t size, uint64_t expected, uint64_t value)
{
	uint8_t word = word_at(address);
	uint64_t swapped;

	CHECK_EQ(size, arena.word_size[word]);
	if (replayed(&swapped))
		return swapped;
	spend(SWAP, word, !now.thread->buffered);
	swapped = spend_done(step_state.words[word] == expected);
	if (swapped)
		step_state.words[word] = value;
	return swapped;
}

uint64_t explore_lock(const void *address, size_t size, uint64_t bit)
{
	uint8_t word = word_at(address);
	uint64_t value;

	CHECK_EQ(size, arena.word_size[word]);
	if (replayed(&value))
		return value;
	value = step_state.words[word];
	spend(SWAP, word, !now.thread->buffered && !(value & bit));
	step_state.words[word] = value | bit;
	return spend_done(value);
}

static void await(const void *address, size_t size, uint64_t value, bool equal)
{
	uint8_t word = word_at(address);
	uint64_t unused;

	CHECK_EQ(size, arena.word_size[word]);
	if (replayed(&unused))
		return;
	spend(AWAIT, word, (value_seen(word) == value) == equal);
	spend_done(value);
}

void explore_await(const void *address, size_t size, uint64_t value)
{
	await(address, size, value, true);
}

void explore_await_other(const void *address, size_t size, uint64_t value)
{
	await(address, size, value, false);
}

void explore_copy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t *target = (uint8_t *)to + i;
		const uint8_t *source = (const uint8_t *)from + i;
		uint64_t value = 0;

		if (in_arena(target) && word_at(target) != NO_WORD) {
			memcpy(&value, source, arena.word_size[word_at(target)]);
			explore_store(target, arena.word_size[word_at(target)], value,
				      EXPLORE_RELAXED);
		} else if (in_arena(source) && word_at(source) != NO_WORD) {
			value = explore_load(source, arena.word_size[word_at(source)],
					     EXPLORE_RELAXED);
			memcpy(target, &value, arena.word_size[word_at(source)]);
		} else if (!in_arena(target) && !in_arena(source)) {
			*target = *source;
		}
	}
}

void explore_ring(uint32_t thread)
{
	uint64_t unused;

	if (replayed(&unused))
		return;
	spend(RING, (uint8_t)thread, !now.thread->buffered);
	step_state.threads[thread].rung |= !step_state.threads[thread].ended;
	spend_done(0);
}

uint32_t explore_wait(uint32_t others)
{
	uint64_t choice;

	if (replayed(&choice))
		return (uint32_t)choice;
	if (!now.spent)
		step.choices = others + 1;
	spend(WAIT, NO_WORD, now.choice > 0 || now.thread->rung);
	if (now.choice > 0)
		step.optional = true;
	else
		now.thread->rung = false;
	return (uint32_t)spend_done(now.choice);
}

void explore_skip(void)
{
	now.blocked = true;
	longjmp(now.leave, 1);
}

void explore_kill(uint32_t thread)
{
	struct thread *victim = &step_state.threads[thread];
	uint64_t unused;

	if (replayed(&unused))
		return;
	spend(KILL, (uint8_t)thread, true);
	memset(victim, 0, sizeof(*victim));
	victim->ended = true;
	spend_done(0);
}

void explore_start(uint32_t thread, const void *locals)
{
	uint64_t unused;

	if (replayed(&unused))
		return;
	spend(START, (uint8_t)thread, true);
	step_state.threads[thread].ended = false;
	memcpy(step_state.threads[thread].locals, locals, model->locals_size);
	now.fresh |= 1u << thread;
	spend_done(0);
}

uint64_t explore_peek(const void *address)
{
	return step_state.words[word_at(address)];
}

void explore_end(void)
{
	now.thread->ended = true;
}

/* Runs a thread in `after` over its next access, up to the one behind that. */
static void run_thread(uint32_t index, bool spent)
{
	static uint64_t locals[EXPLORE_LOCALS / 8];
	static struct thread *thread;

	thread = now.thread = &step_state.threads[index];
	now.index = (uint8_t)index;
	now.spent = spent;
	while (!thread->ended) {
		memcpy(locals, thread->locals, model->locals_size);
		now.at = 0;
		if (setjmp(now.leave))
			return;
		model->run(index, locals);
		memcpy(thread->locals, locals, model->locals_size);
		memset(thread->log, 0, thread->logged * sizeof(thread->log[0]));
		thread->logged = 0;
	}
}

/* ---- for explore.c ---- */

void step_begin(const struct explore_model *begun)
{
	void *locals[EXPLORE_THREADS];

	model = begun;
	memset(&step_state, 0, sizeof(step_state));
	memset(&step, 0, sizeof(step));
	for (uint32_t i = 0; i < model->threads; i++)
		locals[i] = step_state.threads[i].locals;
	model->setup(locals);
	memcpy(step_state.words, arena.first, sizeof(step_state.words));
	for (uint32_t i = 0; i < model->threads; i++)
		run_thread(i, true);
}

bool step_thread(uint32_t thread, uint32_t choice)
{
	now.choice = choice;
	now.blocked = false;
	now.fresh = 0;
	step.choices = 1;
	step.optional = false;
	run_thread(thread, false);
	for (uint32_t i = 0; i < model->threads && !step.fault; i++)
		if (now.fresh & 1u << i)
			run_thread(i, true);
	return !now.blocked;
}

void step_drain(uint32_t index, uint32_t i)
{
	struct thread *thread = &step_state.threads[index];
	bool was_full = thread->buffered == EXPLORE_BUFFER;

	step.move = (struct move){ (uint8_t)index, DRAIN, thread->buffer[i].word,
				   thread->buffer[i].value };
	step.optional = false;
	drain(thread, i);
	drain_unnoticed(thread);
	if (was_full) /* its next store may have waited for this */
		run_thread(index, true);
}

void step_check(void (*check)(void *const locals[]))
{
	void *locals[EXPLORE_THREADS];

	for (uint32_t i = 0; i < model->threads; i++)
		locals[i] = step_state.threads[i].locals;
	if (check && !setjmp(now.leave))
		check(locals);
}

uint32_t step_words(void)
{
	return arena.words;
}

const char *step_word_name(uint32_t word)
{
	return word < arena.words ? arena.names[word] : "";
}
