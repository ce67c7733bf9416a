/* SPDX-License-Identifier: Apache-2.0 */
#include "explore.h"

#include <string.h>

#include "check.h"
#include "explore_step.h"

#define DEPTH_MAX 16384
#define NO_CHOICE 0xff

static const char *const kind_names[] = { "load", "store", "swap",  "await", "ring",
					  "wait", "kill",  "start", "drain" };

struct frame {
	struct state state;
	uint64_t key;
	struct move came_by;
	uint8_t thread; /* whose moves are tried next */
	uint8_t drains;
	uint8_t choice;
	bool must_move; /* somebody has a move that is no choice */
};

static const struct explore_model *model;
static struct frame *frames;
static uint32_t depth;
static uint64_t states, steps;

const char *const explore_livelock = "they keep each other busy for ever";

static bool next_drain(struct frame *frame)
{
	const struct thread *thread = &frame->state.threads[frame->thread];

	for (; frame->drains < thread->buffered; frame->drains++) {
		if (!step_may_drain(thread, frame->drains))
			continue;
		step_state = frame->state;
		step_drain(frame->thread, frame->drains++);
		return true;
	}
	return false;
}

static bool next_access(struct frame *frame)
{
	while (!frame->state.threads[frame->thread].ended && frame->choice != NO_CHOICE) {
		bool moved;

		step_state = frame->state;
		moved = step_thread(frame->thread, frame->choice);
		frame->choice = frame->choice + 1u < step.choices ? frame->choice + 1 : NO_CHOICE;
		if (moved)
			return true;
	}
	return false;
}

/* Makes the next state that follows from `frame`; false if there is none left. */
static bool next_state(struct frame *frame)
{
	for (; frame->thread < model->threads; frame->thread++, frame->drains = frame->choice = 0) {
		if (next_drain(frame) || next_access(frame)) {
			frame->must_move |= !step.optional;
			return true;
		}
	}
	return false;
}

/* ---- states already seen: 63 bits of each one's hash, and whether it is on the path now ---- */

static struct {
	uint64_t *keys;
	uint64_t mask, used;
} seen;

static void hash_add(uint64_t *hash, const void *from, size_t size)
{
	const uint64_t *words = from;

	for (size_t i = 0; i < (size + 7) / 8; i++) {
		*hash = (*hash ^ words[i]) * 0x9e3779b97f4a7c15u;
		*hash ^= *hash >> 32;
	}
}

static uint64_t key_of(const struct state *state)
{
	uint64_t hash = 1;

	hash_add(&hash, state->words, step_words() * sizeof(state->words[0]));
	for (uint32_t i = 0; i < model->threads; i++) {
		const struct thread *thread = &state->threads[i];
		uint64_t rest = thread->logged | thread->buffered << 8 | thread->rung << 16 |
				thread->ended << 17;

		hash_add(&hash, &rest, sizeof(rest));
		hash_add(&hash, thread->locals, model->locals_size);
		hash_add(&hash, thread->log, thread->logged * sizeof(thread->log[0]));
		hash_add(&hash, thread->buffer, thread->buffered * sizeof(thread->buffer[0]));
	}
	/* 0 is an empty place; bit 0 is taken away while the state is on the path */
	return hash | 1;
}

static uint64_t *place_of(uint64_t key)
{
	uint64_t at = key >> 1;

	while (seen.keys[at & seen.mask] && (seen.keys[at & seen.mask] | 1) != key)
		at++;
	return &seen.keys[at & seen.mask];
}

static void seen_resize(uint64_t size)
{
	uint64_t *old = seen.keys, old_size = old ? seen.mask + 1 : 0;

	seen.keys = calloc(size, sizeof(*seen.keys));
	CHECK(seen.keys);
	seen.mask = size - 1;
	for (uint64_t i = 0; i < old_size; i++)
		if (old[i])
			*place_of(old[i] | 1) = old[i];
	free(old);
}

static void push(uint64_t key)
{
	struct frame *frame = &frames[depth++];

	frame->state = step_state;
	frame->key = key;
	frame->came_by = step.move;
	frame->thread = frame->drains = frame->choice = 0;
	frame->must_move = false;
	*place_of(key) = key & ~1ull;
	states++;
	if (++seen.used * 2 > seen.mask)
		seen_resize((seen.mask + 1) * 2);
}

static void visit(void)
{
	uint64_t key = key_of(&step_state), at;

	steps++;
	if (step.fault)
		return;
	at = *place_of(key);
	if (depth == DEPTH_MAX - 1 || (at && !(at & 1)))
		step.fault = explore_livelock;
	else if (!at)
		push(key);
	if (!step.fault)
		step_check(model->check_state);
}

static void search(void)
{
	free(seen.keys);
	memset(&seen, 0, sizeof(seen));
	seen_resize(1 << 16);
	step_begin(model);
	depth = 0;
	states = steps = 0;
	push(key_of(&step_state));
	while (depth && !step.fault) {
		struct frame *top = &frames[depth - 1];

		if (next_state(top)) {
			visit();
			continue;
		}
		if (!top->must_move) {
			step_state = top->state;
			step_check(model->check_settled);
		}
		if (!step.fault) {
			*place_of(top->key) |= 1;
			depth--;
		}
	}
}

static void print_trace(void)
{
	frames[depth].came_by = step.move;
	for (uint32_t i = 1; i <= depth; i++) {
		const struct move *move = &frames[i].came_by;
		const char *what = step_word_name(move->word);

		if (move->kind == RING || move->kind == KILL || move->kind == START)
			what = model->thread_names[move->word];
		fprintf(stderr, "%4u %-10s %-5s %-24s %llx\n", i, model->thread_names[move->thread],
			kind_names[move->kind], what, (unsigned long long)move->value);
	}
}

void explore_expect(const struct explore_model *explored, const char *fault)
{
	model = explored;
	CHECK(model->locals_size <= EXPLORE_LOCALS && model->threads <= EXPLORE_THREADS);
	if (!frames)
		frames = malloc(DEPTH_MAX * sizeof(*frames));
	CHECK(frames);
	search();
	printf("   %s: %s; %llu states, %llu steps\n", model->name,
	       step.fault ? step.fault : "no fault", (unsigned long long)states,
	       (unsigned long long)steps);
	if (step.fault && (!fault || strcmp(step.fault, fault)))
		print_trace();
	CHECK(!fault == !step.fault);
	CHECK(!fault || !strcmp(step.fault, fault));
}
