/* SPDX-License-Identifier: Apache-2.0 */
/* Each CPU's one timer. */
#include <arch/timer.h>
#include <lwk/cpu.h>
#include <lwk/panic.h>
#include <lwk/time.h>
#include <lwk/timer.h>

void timer_arm(uint64_t after_ns, timer_handler handler, void *arg)
{
	uint64_t flags = interrupts_save();

	this_cpu()->timer = (struct timer){ deadline_after(after_ns), handler, arg };
	arch_timer_start(after_ns);
	interrupts_restore(flags);
}

void timer_cancel(void)
{
	uint64_t flags = interrupts_save();

	this_cpu()->timer.handler = NULL;
	arch_timer_stop();
	interrupts_restore(flags);
}

/* May come early (the hardware cannot count so far) or for nothing (cancelled too late). */
static void timer_interrupt(void *arg)
{
	struct timer *timer = &this_cpu()->timer;
	timer_handler handler = timer->handler;
	uint64_t now = time_ns();

	(void)arg;
	if (!handler)
		return;
	if (now < timer->deadline_ns) {
		arch_timer_start(timer->deadline_ns - now);
		return;
	}
	timer->handler = NULL;
	handler(timer->arg);
}

void timer_init(void)
{
	if (irq_register(IRQ_VECTOR_TIMER, timer_interrupt, NULL))
		panic("timer: vector 0x%x is taken", IRQ_VECTOR_TIMER);
	arch_timer_init();
}
