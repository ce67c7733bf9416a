/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/lockdep.h>
#include <pthread.h>

#include "check.h"

#define CLASSES_MAX 64
#define HELD_MAX 16

static pthread_mutex_t graph_lock = PTHREAD_MUTEX_INITIALIZER;

/* Who was taken while holding whom. */
static struct lock_class *classes[CLASSES_MAX + 1]; /* by number */
static u64 taken_under[CLASSES_MAX + 1];	    /* a bit for each class that was taken under this one */
static bool in_irq[CLASSES_MAX + 1], with_irqs_on[CLASSES_MAX + 1];
static int class_count;

static _Thread_local struct {
	struct lock_class *class;
	bool irqs_were_off;
} held[HELD_MAX];
static _Thread_local int held_count, preempt_count;
static _Thread_local bool is_interrupt, irqs_are_off;

static _Noreturn void lockdep_abort(const char *what)
{
	fprintf(stderr, "lockdep: %s; this thread holds:", what);
	for (int i = 0; i < held_count; i++)
		fprintf(stderr, " %s", held[i].class->name);
	fprintf(stderr, "\n");
	abort();
}

static u64 bit_of(const struct lock_class *class)
{
	return BIT_ULL(class->number - 1);
}

/* Prints how `from` came to be held while `to` was taken, each under the one before. */
static bool lockdep_print_path(int from, int to, u64 seen)
{
	if (from == to) {
		fprintf(stderr, "lockdep: before, %s", classes[to]->name);
		return true;
	}
	for (int next = 1; next <= class_count; next++) {
		u64 bit = BIT_ULL(next - 1);

		if (!(taken_under[from] & bit) || seen & bit)
			continue;
		seen |= bit;
		if (lockdep_print_path(next, to, seen)) {
			fprintf(stderr, " under %s", classes[from]->name);
			return true;
		}
	}
	return false;
}

static void lockdep_note_order(struct lock_class *outer, struct lock_class *inner)
{
	if (outer == inner) {
		fprintf(stderr, "lockdep: %s is taken twice\n", inner->name);
		lockdep_abort("recursion");
	}
	if (taken_under[outer->number] & bit_of(inner))
		return;
	if (lockdep_print_path(inner->number, outer->number, 0)) {
		fprintf(stderr, "; now, %s under %s\n", inner->name, outer->name);
		lockdep_abort("locks in both orders");
	}
	taken_under[outer->number] |= bit_of(inner);
}

static void lockdep_note_irqs(struct lock_class *class, bool irqs_off)
{
	if (is_interrupt)
		in_irq[class->number] = true;
	else if (!irqs_off)
		with_irqs_on[class->number] = true;
	if (in_irq[class->number] && with_irqs_on[class->number]) {
		fprintf(stderr, "lockdep: %s is taken in interrupts, and with interrupts on\n", class->name);
		lockdep_abort("an interrupt may wait for whom it interrupts");
	}
}

static void lockdep_number(struct lock_class *class)
{
	if (class->number)
		return;
	CHECK(class_count < CLASSES_MAX);
	class->number = ++class_count;
	classes[class->number] = class;
}

void lockdep_acquire(struct lock_class *class, bool irqs_off)
{
	pthread_mutex_lock(&graph_lock);
	lockdep_number(class);
	lockdep_note_irqs(class, irqs_off || irqs_are_off);
	for (int i = 0; i < held_count; i++)
		lockdep_note_order(held[i].class, class);
	pthread_mutex_unlock(&graph_lock);
	lockdep_hold(class);
	irqs_are_off |= irqs_off;
}

void lockdep_hold(struct lock_class *class)
{
	CHECK(held_count < HELD_MAX);
	held[held_count].class = class;
	held[held_count++].irqs_were_off = irqs_are_off;
}

void lockdep_release(struct lock_class *class)
{
	int i = held_count;

	while (i > 0 && held[i - 1].class != class)
		i--;
	if (!i)
		lockdep_abort("a lock is released that is not held");
	irqs_are_off = held[i - 1].irqs_were_off;
	for (held_count--; i <= held_count; i++)
		held[i - 1] = held[i];
}

void preempt_disable(void)
{
	preempt_count++;
}

void preempt_enable(void)
{
	preempt_count--;
}

void irq_enter(void)
{
	is_interrupt = true;
	preempt_disable();
}

void irq_exit(void)
{
	preempt_enable();
	is_interrupt = false;
}

void might_sleep(const char *what)
{
	if (!preempt_count)
		return;
	fprintf(stderr, "lockdep: %s may sleep\n", what);
	lockdep_abort(is_interrupt ? "in an interrupt" : "with a spinlock held");
}
