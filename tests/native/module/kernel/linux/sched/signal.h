/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_SCHED_SIGNAL_H
#define NATIVE_LINUX_SCHED_SIGNAL_H

#include <linux/sched.h>

static inline bool signal_pending(const struct task_struct *task)
{
	return READ_ONCE(task->signalled);
}

#endif
