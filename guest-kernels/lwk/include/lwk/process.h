/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes (docs/offload-protocol.md). A process is a channel to its proxy, an address space and threads. It is
 * there while its channel is open or a thread is left; its memory is given back when neither is, or when the
 * proxy has said that it reaches none of it any more.
 */
#ifndef LWK_PROCESS_H
#define LWK_PROCESS_H

#include <ikc/ikc_process.h>
#include <lwk/cpu_set.h>
#include <lwk/ids.h>
#include <lwk/signal.h>
#include <lwk/space.h>
#include <lwk/spinlock.h>
#include <lwk/types.h>

#define PROCESS_THREADS_MAX IKC_PROCESS_THREADS
#define PROCESS_CALLS_MAX 512

struct channel;
struct thread;
struct thread_schedule;

struct process {
	struct spinlock lock;
	uint32_t references; /* atomic: the channel's, and each thread's */

	bool asked_to_end; /* set by the last thread, before it tells the proxy that it is over */

	/* under the lock */
	struct channel *channel; /* NULL: the proxy is gone */
	struct process **holder; /* in the channel: points here */
	bool wants_room; /* a thread waits for the channel to have some */
	uint32_t asleep; /* threads that wait for their answers, and nobody looks: the proxy is to ring at once */
	uint32_t lives; /* questions to the proxy, counted */
	uint32_t thread_count;
	struct thread **threads; /* PROCESS_THREADS_MAX of them */

	bool stopped; /* no thread goes to user mode */
	uint64_t continued; /* how often the proxy has told of SIGCONT */
	bool ending; /* set once, with `status` */
	uint32_t status; /* as wait(2) tells it */

	struct ids ids;
	uint64_t cpu_ns; /* of threads that have ended */
	uint64_t offloads; /* of those */
	uint64_t stack_limit[2]; /* RLIMIT_STACK: soft, hard; under the lock, and only to be told */

	/* constant once it runs */
	bool has_begun;
	uint32_t id;
	uint32_t partition; /* of its proxy */
	char name[IKC_PROCESS_NAME_SIZE];
	uint64_t began; /* time_ns() */
	bool traces;
	uint64_t offloaded[PROCESS_CALLS_MAX / 64]; /* calls that could be made here too: a bit each */
	uint64_t look_ns; /* that a thread looks for an answer before it lets its CPU go */
	int64_t realtime_offset; /* added to time_ns() */
	int64_t monotonic_offset;

	struct space space;
	struct signal_action actions[SIGNALS]; /* under the lock */
	uint64_t pending; /* signals; atomic */
	uint32_t barriers; /* of membarrier(2), those that it has registered for; atomic */
	struct signal_queue *signals; /* what is to be told of those, and of those of its threads; a page, under the lock */

	struct process *next; /* of all */
};

void process_init(void);

/* ---- for who serves its channel ---- */

/* A process with no memory yet, held by its channel: *holder points to it until it is freed. NULL: no memory. */
struct process *process_new(struct channel *channel, struct process **holder);

uint32_t process_count(void);

/* Calls back with each process, under a lock: `visit` takes no time, and none away. */
void process_visit(void (*visit)(struct process *process, void *context), void *context);

/* A RESULT to one of its threads. */
void process_take_answer(struct process *process, const struct ikc_process_message *message);

/* The channel is no more: nobody uses it when this returns. What *holder was. */
struct process *process_detach(struct process **holder);

/* Its proxy has died: it ends, and is no longer held. */
void process_lose_proxy(struct process *process);

/* ---- for all ---- */

void process_get(struct process *process);
void process_put(struct process *process);

static inline bool process_is_ending(const struct process *process)
{
	return __atomic_load_n(&process->ending, __ATOMIC_ACQUIRE);
}

static inline bool process_is_stopped(const struct process *process)
{
	return __atomic_load_n(&process->stopped, __ATOMIC_ACQUIRE);
}

/* The first to say so decides the status; all threads leave as soon as they can. Any context but NMI. */
void process_end(struct process *process, uint32_t status);

/* Lets all of its threads look. Under the lock. */
void process_wake_all(struct process *process);

/* This CPU is about to sleep: nobody looks any more for what its threads wait for. */
void process_fall_asleep(void);

/*
 * Puts a thread into the table; its id is given then. -EAGAIN: there are as many as can be;
 * -ESRCH: the process ends.
 */
int process_add(struct process *process, struct thread *thread);

/* Lets a thread that was added run for the first time. */
void process_begin(struct process *process, uint32_t slot);

/* To the thread of that id; number 0: only looks for it. -ESRCH. */
int process_signal_thread(struct process *process, uint32_t id, uint32_t number, const struct signal_cause *cause);

/* How long its threads have had a CPU, all together. */
uint64_t process_cpu_time(struct process *process);

/* Where the thread of that id may be: is, and is from now on. -ESRCH. */
int process_get_cpus(struct process *process, uint32_t id, struct cpu_set *set);
int process_set_cpus(struct process *process, uint32_t id, const struct cpu_set *set);

/* Its policy and priority. -ESRCH. */
int process_get_schedule(struct process *process, uint32_t id, struct thread_schedule *schedule);
int process_set_schedule(struct process *process, uint32_t id, const struct thread_schedule *schedule);

/* This thread leaves its process and ends; the last one tells the proxy. */
_Noreturn void process_leave(void);

/* To the proxy, by this thread; waits for room. -ESRCH: there is no proxy, or the process ends. */
int process_tell(const struct ikc_process_message *message);

/*
 * Asks the proxy by this thread, and waits for the answer. -ESRCH as above. If a signal is due meanwhile the proxy is told
 * to interrupt what it does. `is_short`: nothing is said in the words behind the first three.
 */
int64_t process_ask(struct ikc_process_message *message, bool is_short);

#endif
