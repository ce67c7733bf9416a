/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt vectors and their handlers. */
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/irq.h>
#include <lwk/log.h>
#include <lwk/spinlock.h>

/* Written under `lock`; `handler` last, as irq_dispatch() reads without it. */
static struct {
	void *arg;
	irq_handler handler;
} vectors[IRQ_VECTORS];

static struct spinlock lock = SPINLOCK_INIT;

int irq_register(unsigned int vector, irq_handler handler, void *arg)
{
	uint64_t flags;
	int err = -EBUSY;

	if (vector < IRQ_VECTOR_FIRST || vector >= IRQ_VECTOR_SPURIOUS || !handler)
		return -EINVAL;
	flags = spin_lock(&lock);
	if (!vectors[vector].handler) {
		vectors[vector].arg = arg;
		__atomic_store_n(&vectors[vector].handler, handler, __ATOMIC_RELEASE);
		err = 0;
	}
	spin_unlock(&lock, flags);
	return err;
}

int irq_allocate(irq_handler handler, void *arg)
{
	for (unsigned int vector = IRQ_VECTOR_FIRST; vector < IRQ_VECTOR_TIMER; vector++) {
		int err = irq_register(vector, handler, arg);

		if (err != -EBUSY)
			return err ? err : (int)vector;
	}
	return -ENOSPC;
}

void irq_unregister(unsigned int vector)
{
	__atomic_store_n(&vectors[vector].handler, NULL, __ATOMIC_RELEASE);
}

uint64_t irq_count(unsigned int vector)
{
	uint64_t count = 0;

	for (unsigned int i = 0; i < cpu_count; i++)
		count += __atomic_load_n(&cpus[i]->irq_counts[vector], __ATOMIC_RELAXED);
	return count;
}

void irq_dispatch(unsigned int vector)
{
	struct cpu *cpu = this_cpu();
	irq_handler handler = __atomic_load_n(&vectors[vector].handler, __ATOMIC_ACQUIRE);
	uint32_t count = cpu->irq_counts[vector] + 1;

	__atomic_store_n(&cpu->irq_counts[vector], count, __ATOMIC_RELAXED);
	if (handler)
		handler(vectors[vector].arg);
	else if (count == 1 && vector != IRQ_VECTOR_SPURIOUS)
		log_warn("irq: vector 0x%x on CPU %u, and nobody asked for it", vector, cpu->id);
}
