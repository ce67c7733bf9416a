// SPDX-License-Identifier: GPL-2.0-only
/* The doorbell vectors of channels. */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/interrupt.h>
#include <linux/pci.h>

#include "channel.h"
#include "vectors.h"

void vectors_init(struct vectors *vectors)
{
	u32 i;

	mutex_init(&vectors->lock);
	for (i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		spin_lock_init(&vectors->at[i].lock);
		INIT_LIST_HEAD(&vectors->at[i].channels);
	}
}

static void vector_wake(struct vector *vector)
{
	struct channel *channel;
	unsigned long flags;

	spin_lock_irqsave(&vector->lock, flags);
	list_for_each_entry(channel, &vector->channels, vector_list)
		channel_rung(channel);
	spin_unlock_irqrestore(&vector->lock, flags);
}

static irqreturn_t vector_interrupt(int irq, void *vector)
{
	vector_wake(vector);
	return IRQ_HANDLED;
}

void vectors_wake(struct vectors *vectors)
{
	u32 i;

	for (i = 0; i < IKC_CHANNEL_VECTORS; i++)
		vector_wake(&vectors->at[i]);
}

static void vectors_free_first(struct vectors *vectors, u32 count)
{
	while (count--)
		pci_free_irq(vectors->pdev, IKC_VECTOR_CHANNEL + count, &vectors->at[count]);
}

int vectors_request(struct vectors *vectors, struct pci_dev *pdev)
{
	int err;
	u32 i;

	vectors->pdev = pdev;
	for (i = 0; i < IKC_CHANNEL_VECTORS; i++) {
		err = pci_request_irq(pdev, IKC_VECTOR_CHANNEL + i, vector_interrupt, NULL, &vectors->at[i],
				      "ikc-channel-%u", i);
		if (err) {
			vectors_free_first(vectors, i);
			return err;
		}
	}
	return 0;
}

void vectors_free(struct vectors *vectors)
{
	vectors_free_first(vectors, IKC_CHANNEL_VECTORS);
}

/* ---- which CPU ---- */

static int vector_set_cpu(struct vectors *vectors, u32 i, u32 cpu)
{
	vectors->at[i].cpu = cpu;
	return irq_set_affinity(pci_irq_vector(vectors->pdev, IKC_VECTOR_CHANNEL + i), cpumask_of(cpu));
}

/* Spreads those whose CPU nobody has asked for over the CPUs that are online by now. */
static void vector_spread(struct vectors *vectors, u32 i)
{
	u32 cpu, skip;

	if (vectors->at[i].channel_count || vectors->at[i].chosen)
		return;
	skip = i % num_online_cpus();
	for_each_online_cpu(cpu)
		if (!skip--)
			break;
	vector_set_cpu(vectors, i, cpu); /* if that fails it stays where it is, and works */
}

static void vector_attach(struct vectors *vectors, u32 i, struct channel *channel)
{
	struct vector *vector = &vectors->at[i];

	channel->vector = i;
	spin_lock_irq(&vector->lock);
	list_add(&channel->vector_list, &vector->channels);
	vector->channel_count++;
	spin_unlock_irq(&vector->lock);
}

static void vector_detach(struct vectors *vectors, struct channel *channel)
{
	struct vector *vector = &vectors->at[channel->vector];

	spin_lock_irq(&vector->lock);
	list_del(&channel->vector_list);
	if (!--vector->channel_count)
		vector->chosen = false;
	spin_unlock_irq(&vector->lock);
}

void vectors_add(struct vectors *vectors, struct channel *channel)
{
	u32 i;

	cpus_read_lock();
	mutex_lock(&vectors->lock);
	i = vectors->next++ % IKC_CHANNEL_VECTORS;
	vector_spread(vectors, i);
	vector_attach(vectors, i, channel);
	mutex_unlock(&vectors->lock);
	cpus_read_unlock();
}

void vectors_remove(struct vectors *vectors, struct channel *channel)
{
	mutex_lock(&vectors->lock);
	vector_detach(vectors, channel);
	mutex_unlock(&vectors->lock);
}

/* The vector that arrives at `cpu`, or one that can be sent there: one without channels but this. */
static int vectors_find(struct vectors *vectors, const struct channel *channel, u32 cpu)
{
	u32 i;

	for (i = 0; i < IKC_CHANNEL_VECTORS; i++)
		if (vectors->at[i].channel_count && vectors->at[i].cpu == cpu)
			return i;
	if (vectors->at[channel->vector].channel_count == 1)
		return channel->vector;
	for (i = 0; i < IKC_CHANNEL_VECTORS; i++)
		if (!vectors->at[i].channel_count)
			return i;
	return -EBUSY;
}

static int vectors_serve_on_locked(struct vectors *vectors, struct channel *channel, u32 cpu)
{
	int err, i = vectors_find(vectors, channel, cpu);

	if (i < 0)
		return i;
	if (!vectors->at[i].channel_count || vectors->at[i].cpu != cpu) {
		err = vector_set_cpu(vectors, i, cpu);
		if (err)
			return err;
	}
	vectors->at[i].chosen = true;
	if ((u32)i != channel->vector) {
		vector_detach(vectors, channel);
		vector_attach(vectors, i, channel);
	}
	channel_say_vector(channel);
	return 0;
}

int vectors_serve_on(struct vectors *vectors, struct channel *channel, u32 cpu)
{
	int err = -EINVAL;

	cpus_read_lock();
	mutex_lock(&vectors->lock);
	if (cpu < nr_cpu_ids && cpu_online(cpu))
		err = vectors_serve_on_locked(vectors, channel, cpu);
	mutex_unlock(&vectors->lock);
	cpus_read_unlock();
	return err;
}
