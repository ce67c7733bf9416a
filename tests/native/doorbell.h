/* SPDX-License-Identifier: Apache-2.0 */
/* Doorbells between threads. */
#ifndef DOORBELL_H
#define DOORBELL_H

#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define DEADLINE_S 60

/* An interrupt line: rings while awake are remembered, several count as one. */
struct doorbell {
	uint32_t rung;
};

static inline void doorbell_ring(struct doorbell *doorbell)
{
	__atomic_store_n(&doorbell->rung, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &doorbell->rung, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline void doorbell_sleep(struct doorbell *doorbell, const char *who)
{
	struct timespec deadline = { .tv_sec = DEADLINE_S };

	while (!__atomic_exchange_n(&doorbell->rung, 0, __ATOMIC_SEQ_CST)) {
		if (!syscall(SYS_futex, &doorbell->rung, FUTEX_WAIT, 0, &deadline, NULL, 0) ||
		    errno != ETIMEDOUT)
			continue;
		fprintf(stderr, "%s slept for %d s and was not woken\n", who, DEADLINE_S);
		check_failed(__FILE__, __LINE__, "no lost wake-up");
	}
}

#endif
