/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel under the driver in these tests finds what it is there to find. */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "waiting.h"

static struct mutex first, second, third;
static spinlock_t plain, in_interrupts;

static void make_locks(void)
{
	mutex_init(&first);
	mutex_init(&second);
	mutex_init(&third);
	spin_lock_init(&plain);
	spin_lock_init(&in_interrupts);
}

static void take_in_order(struct mutex *outer, struct mutex *inner)
{
	mutex_lock(outer);
	mutex_lock(inner);
	mutex_unlock(inner);
	mutex_unlock(outer);
}

static void lock_both_ways(void)
{
	take_in_order(&first, &second);
	take_in_order(&second, &first);
}

static void lock_in_a_circle(void)
{
	take_in_order(&first, &second);
	take_in_order(&second, &third);
	take_in_order(&third, &first);
}

static void lock_twice(void)
{
	mutex_lock(&first);
	mutex_lock(&first);
}

static void lock_mutex_under_spinlock(void)
{
	spin_lock(&plain);
	mutex_lock(&first);
}

static void allocate_in_an_interrupt(void)
{
	irq_enter();
	kfree(kmalloc(1, GFP_KERNEL));
}

static int nothing_yet(void *context)
{
	return context ? 0 : -EAGAIN;
}

static void wait_under_spinlock(void)
{
	wait_queue_head_t queue;
	long left = 1;

	init_waitqueue_head(&queue);
	spin_lock(&plain);
	waiting_for(&queue, nothing_yet, NULL, &left);
}

static void lock_in_interrupts_and_with_them_on(void)
{
	spin_lock(&in_interrupts);
	spin_unlock(&in_interrupts);
	irq_enter();
	spin_lock(&in_interrupts);
}

static void release_what_is_not_held(void)
{
	lockdep_release(first.class);
}

/* In a process of its own, which must abort and say `word`. */
static void check_aborts(void (*mistake)(void), const char *word)
{
	char said[4096];
	ssize_t size, length = 0;
	int status, ends[2];
	pid_t child;

	CHECK(!pipe(ends));
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		dup2(ends[1], STDERR_FILENO);
		mistake();
		_exit(0);
	}
	close(ends[1]);
	while ((size = read(ends[0], said + length, sizeof(said) - 1 - (size_t)length)) > 0)
		length += size;
	said[length] = '\0';
	close(ends[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status));
	if (strstr(said, word))
		return;
	fprintf(stderr, "no \"%s\" in: %s\n", word, said);
	CHECK(!"the mistake is named");
}

static void test_locks_in_both_orders_are_found(void)
{
	check_aborts(lock_both_ways, "before, &second under &first; now, &first under &second");
	check_aborts(lock_in_a_circle, "before, &third under &second under &first; now, &first under &third");
	check_aborts(lock_twice, "&first is taken twice");
}

static void test_sleep_where_none_may_be_is_found(void)
{
	check_aborts(lock_mutex_under_spinlock, "mutex_lock may sleep");
	check_aborts(wait_under_spinlock, "&queue may sleep");
	check_aborts(allocate_in_an_interrupt, "kmalloc(GFP_KERNEL) may sleep");
}

static void test_lock_of_interrupts_that_others_take_with_interrupts_on_is_found(void)
{
	check_aborts(lock_in_interrupts_and_with_them_on, "&in_interrupts is taken in interrupts");
}

static void test_release_of_what_is_not_held_is_found(void)
{
	check_aborts(release_what_is_not_held, "not held");
}

static void test_locks_in_one_order_are_none_of_these(void)
{
	take_in_order(&first, &second);
	take_in_order(&second, &third);
	take_in_order(&first, &third);
	spin_lock_irq(&in_interrupts);
	spin_lock(&plain);
	spin_unlock(&plain);
	spin_unlock_irq(&in_interrupts);
	kfree(kmalloc(1, GFP_KERNEL));
}

int main(void)
{
	make_locks();
	RUN(test_locks_in_both_orders_are_found);
	RUN(test_sleep_where_none_may_be_is_found);
	RUN(test_lock_of_interrupts_that_others_take_with_interrupts_on_is_found);
	RUN(test_release_of_what_is_not_held_is_found);
	RUN(test_locks_in_one_order_are_none_of_these);
	return 0;
}
