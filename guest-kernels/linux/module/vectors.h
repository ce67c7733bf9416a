/* SPDX-License-Identifier: GPL-2.0-only */
/* The doorbell vectors of channels: on which CPU each arrives, and which channels it wakes. */
#ifndef VECTORS_H
#define VECTORS_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "ikc_layout.h"

struct pci_dev;

struct vector {
	spinlock_t lock;	   /* of the list; taken in the interrupt */
	struct list_head channels; /* struct channel, by `vector_list` */
	u32 channel_count;
	bool chosen; /* its CPU was asked for by a program */
	u32 cpu;
};

struct vectors {
	struct pci_dev *pdev;
	struct mutex lock; /* of who is where */
	u32 next;	   /* for the next channel that does not care */
	struct vector at[IKC_CHANNEL_VECTORS];
};

void vectors_init(struct vectors *vectors);

/* The interrupts of all vectors. */
int vectors_request(struct vectors *vectors, struct pci_dev *pdev);
void vectors_free(struct vectors *vectors);

/* Should ever a doorbell get lost: wakes whoever has something to do. */
void vectors_wake(struct vectors *vectors);

struct channel;

/* Gives a channel a vector, and takes it back. */
void vectors_add(struct vectors *vectors, struct channel *channel);
void vectors_remove(struct vectors *vectors, struct channel *channel);

/* From now on its doorbells arrive at that CPU. -EINVAL: not online; -EBUSY: all vectors arrive elsewhere. */
int vectors_serve_on(struct vectors *vectors, struct channel *channel, u32 cpu);

#endif
