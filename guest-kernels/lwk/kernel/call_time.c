/* SPDX-License-Identifier: Apache-2.0 */
/* System calls on time: that of Linux, as it was when the process began, and the time-stamp counter since then. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/sleep.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

enum clock {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_PROCESS_CPUTIME_ID = 2,
	CLOCK_THREAD_CPUTIME_ID = 3,
	CLOCK_MONOTONIC_RAW = 4,
	CLOCK_REALTIME_COARSE = 5,
	CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
};

#define TIMER_ABSTIME 1

struct timespec {
	int64_t seconds;
	int64_t nanoseconds;
};

/* False: the proxy's affair. */
static bool read_clock(const struct call *call, uint64_t clock, uint64_t *ns)
{
	uint64_t now = time_ns();

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		*ns = now + call->process->realtime_offset;
		return true;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		*ns = now + call->process->monotonic_offset;
		return true;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_time(call->process);
		return true;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_cpu_time(call->thread);
		return true;
	default:
		return false;
	}
}

static int put_timespec(uint64_t to, uint64_t ns)
{
	struct timespec time = { ns / NS_PER_S, ns % NS_PER_S };

	return copy_to_user(to, &time, sizeof(time));
}

/* 0, -EFAULT, -EINVAL. What is beyond some centuries is as good as never. */
static int get_timespec(uint64_t from, uint64_t *ns)
{
	struct timespec time;
	int err = copy_from_user(&time, from, sizeof(time));

	if (err)
		return err;
	if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= (int64_t)NS_PER_S)
		return -EINVAL;
	*ns = MIN((uint64_t)time.seconds, INT64_MAX / NS_PER_S - 1) * NS_PER_S + time.nanoseconds;
	return 0;
}

int64_t call_clock_gettime(struct call *call)
{
	uint64_t ns;

	return read_clock(call, call->args[0], &ns) ? put_timespec(call->args[1], ns) : CALL_OFFLOAD;
}

int64_t call_clock_getres(struct call *call)
{
	uint64_t ns;

	if (!read_clock(call, call->args[0], &ns))
		return CALL_OFFLOAD;
	return call->args[1] ? put_timespec(call->args[1], 1) : 0;
}

int64_t call_gettimeofday(struct call *call)
{
	struct timespec time;
	uint64_t ns;

	if (call->args[1])
		return CALL_OFFLOAD;
	read_clock(call, CLOCK_REALTIME, &ns);
	time = (struct timespec){ ns / NS_PER_S, ns % NS_PER_S / 1000 };
	return call->args[0] ? copy_to_user(call->args[0], &time, sizeof(time)) : 0;
}

int64_t call_time(struct call *call)
{
	uint64_t ns;
	int64_t seconds;

	read_clock(call, CLOCK_REALTIME, &ns);
	seconds = ns / NS_PER_S;
	if (call->args[0] && copy_to_user(call->args[0], &seconds, sizeof(seconds)))
		return -EFAULT;
	return seconds;
}

/* `rest` is where a program wants to know what was left of its sleep; 0: nowhere. */
static int64_t sleep(uint64_t ns, uint64_t rest)
{
	uint64_t deadline = deadline_after(ns), now;

	sleep_until(deadline);
	now = time_ns();
	if (now >= deadline)
		return 0;
	if (rest && put_timespec(rest, deadline - now))
		return -EFAULT;
	return -EINTR;
}

int64_t call_nanosleep(struct call *call)
{
	uint64_t ns;
	int err = get_timespec(call->args[0], &ns);

	return err ? err : sleep(ns, call->args[1]);
}

int64_t call_clock_nanosleep(struct call *call)
{
	uint64_t ns, now;
	int err = get_timespec(call->args[2], &ns);

	if (err)
		return err;
	if (call->args[0] == CLOCK_THREAD_CPUTIME_ID || call->args[0] == CLOCK_PROCESS_CPUTIME_ID ||
	    !read_clock(call, call->args[0], &now))
		return CALL_OFFLOAD;
	if (!(call->args[1] & TIMER_ABSTIME))
		return sleep(ns, call->args[3]);
	return ns > now ? sleep(ns - now, 0) : 0;
}

/* ---- used time ---- */

#define RUSAGE_SELF 0
#define RUSAGE_THREAD 1
#define TICKS_PER_S 100

struct rusage {
	int64_t user[2];   /* seconds and microseconds */
	int64_t system[2]; /* the kernel's time is the program's here */
	int64_t largest_kib;
	int64_t rest[13]; /* faults, swaps, switches: none */
};

_Static_assert(sizeof(struct rusage) == 144, "as getrusage(2) has it");

int64_t call_getrusage(struct call *call)
{
	struct rusage usage = { 0 };
	uint64_t ns;

	if (call->args[0] == RUSAGE_SELF)
		ns = process_cpu_time(call->process);
	else if (call->args[0] == RUSAGE_THREAD)
		ns = thread_cpu_time(call->thread);
	else
		return CALL_OFFLOAD;
	usage.user[0] = ns / NS_PER_S;
	usage.user[1] = ns % NS_PER_S / NS_PER_US;
	usage.largest_kib = call->process->space.page_count * (PAGE_SIZE / KIB(1));
	return copy_to_user(call->args[1], &usage, sizeof(usage));
}

int64_t call_times(struct call *call)
{
	int64_t ticks[4] = { process_cpu_time(call->process) / (NS_PER_S / TICKS_PER_S) };
	uint64_t now;

	read_clock(call, CLOCK_MONOTONIC, &now);
	if (call->args[0] && copy_to_user(call->args[0], ticks, sizeof(ticks)))
		return -EFAULT;
	return now / (NS_PER_S / TICKS_PER_S);
}
