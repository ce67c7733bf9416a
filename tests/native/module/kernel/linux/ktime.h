/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_KTIME_H
#define NATIVE_LINUX_KTIME_H

#include <linux/jiffies.h>
#include <time.h>

typedef int64_t ktime_t;

static inline u64 ktime_get_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static inline ktime_t ktime_get(void)
{
	return (ktime_t)ktime_get_ns();
}

#define ktime_sub(later, earlier) ((later) - (earlier))
#define ktime_to_ns(time) (time)

#endif
