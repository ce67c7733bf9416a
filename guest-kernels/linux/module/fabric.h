/* SPDX-License-Identifier: GPL-2.0-only */
/* All that this kernel has of the fabric behind its doorbell device. */
#ifndef FABRIC_H
#define FABRIC_H

#include <linux/completion.h>
#include <linux/miscdevice.h>

#include "klog.h"
#include "life.h"
#include "link.h"

struct fabric {
	struct region region;
	struct klog klog;
	struct life life;
	struct link_shared shared;
	struct link *links; /* by partition; our own is not used */

	struct miscdevice misc; /* /dev/ikc */
	atomic_t users;		/* open files, and one for the driver */
	struct completion unused;
	bool stopping; /* everything that waits returns -ENODEV */
};

/* The link to `peer`, or NULL: there is no such partition, or it is this one. */
struct link *fabric_link(struct fabric *fabric, u32 peer);

/* Whoever has a file of it keeps it from going away. */
static inline void fabric_get(struct fabric *fabric)
{
	atomic_inc(&fabric->users);
}

static inline void fabric_put(struct fabric *fabric)
{
	if (atomic_dec_and_test(&fabric->users))
		complete(&fabric->unused);
}

/* Takes back what peers have taken of what any channel has lent. */
void fabric_reap(struct fabric *fabric);

int fabric_probe(struct pci_dev *pdev);
void fabric_remove(struct pci_dev *pdev);

/* The kernel goes down: tells the peers, and does nothing after. */
void fabric_shutdown(struct pci_dev *pdev);

#endif
