/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_COMPLETION_H
#define NATIVE_LINUX_COMPLETION_H

#include <linux/wait.h>

struct completion {
	u32 done; /* under wait.lock */
	wait_queue_head_t wait;
};

static inline void init_completion(struct completion *completion)
{
	completion->done = 0;
	init_waitqueue_head(&completion->wait);
}

void complete(struct completion *completion);
void wait_for_completion(struct completion *completion);
bool completion_done(struct completion *completion);
long wait_for_completion_interruptible_timeout(struct completion *completion, long timeout);

#endif
