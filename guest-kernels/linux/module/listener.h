/* SPDX-License-Identifier: GPL-2.0-only */
/* Listeners: ports of this partition where programs take channels that peers open. */
#ifndef LISTENER_H
#define LISTENER_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "channel.h"

/* Channels that wait to be taken by the program; more are refused as BUSY. */
#define LISTENER_BACKLOG_MAX IKC_CHANNELS

struct listeners {
	spinlock_t lock; /* of the list, and of everything in every listener */
	struct list_head list;
};

struct listener {
	struct listeners *all;
	wait_queue_head_t changed;
	struct list_head list; /* empty: listens nowhere */
	u16 port;
	u32 magic;
	u32 packet_size;
	struct list_head waiting; /* struct channel, by `list` */
	u32 waiting_count;
};

void listeners_init(struct listeners *all);
void listener_init(struct listener *listener, struct listeners *all);

/* 0; -EADDRINUSE: another one is there; -EINVAL: this one listens already. */
int listener_listen(struct listener *listener, u16 port, u32 magic, u32 packet_size);

/* No more come; those that wait are closed. */
void listener_destroy(struct listener *listener);

/* The channel that has waited longest, or NULL. */
struct channel *listener_take(struct listener *listener);
bool listener_has_channel(struct listener *listener);

/* Would a listener of ours take a channel on these terms? */
enum ikc_channel_refusal listeners_judge(struct listeners *all, const struct ikc_terms *terms);

/* Gives an accepted channel to its listener. False if that has gone meanwhile. */
bool listeners_deliver(struct listeners *all, struct channel *channel);

/* Wakes every program that waits at a listener. */
void listeners_wake(struct listeners *all);

#endif
