/* SPDX-License-Identifier: Apache-2.0 */
/* A system call goes where the table says: to a function of this kernel, or to the proxy. */
#include <lwk/call_arguments.h>
#include <lwk/calls.h>
#include <lwk/cpu.h>
#include <lwk/errno.h>
#include <lwk/ids.h>
#include <lwk/ikc_status.h>
#include <lwk/process_facts.h>
#include <lwk/syscall.h>
#include <lwk/time.h>

enum place { LOCAL = 1, EITHER, OFFLOAD, REFUSE };

#define SYSCALL_SIZE 2 /* bytes of the instruction */
#define FUTEX_NUMBER 202

static const struct {
	enum place place;
	bool is_long; /* more arguments than a short message has words */
	const char *arguments;
} table[] = {
#define IKC_SYSCALL(number, name, place, arguments) \
	[number] = { place, sizeof(arguments) - 1 > IKC_PROCESS_SHORT_WORDS, arguments },
#include <ikc/ikc_syscalls.def>
#undef IKC_SYSCALL
};

typedef int64_t (*local_call)(struct call *call);

#define LOCAL_CALL_LOCAL(number, name) [number] = call_##name,
#define LOCAL_CALL_EITHER(number, name) LOCAL_CALL_LOCAL(number, name)
#define LOCAL_CALL_OFFLOAD(number, name)
#define LOCAL_CALL_REFUSE(number, name)

static const local_call local[ARRAY_SIZE(table)] = {
#define IKC_SYSCALL(number, name, place, arguments) LOCAL_CALL_##place(number, name)
#include <ikc/ikc_syscalls.def>
#undef IKC_SYSCALL
};

_Static_assert(ARRAY_SIZE(table) <= PROCESS_CALLS_MAX, "a process has a bit for each");

int syscall_set_place(struct process *process, uint64_t number, bool offloaded)
{
	uint64_t bit = 1ul << number % 64;

	if (number >= ARRAY_SIZE(table) || table[number].place != EITHER)
		return -EINVAL;
	process->offloaded[number / 64] &= ~bit;
	process->offloaded[number / 64] |= offloaded ? bit : 0;
	return 0;
}

static bool is_made_here(const struct call *call)
{
	const uint64_t *offloaded = call->process->offloaded;

	if (table[call->number].place == EITHER)
		return !(offloaded[call->number / 64] >> call->number % 64 & 1);
	return table[call->number].place == LOCAL;
}

static bool is_known(uint64_t number)
{
	return number < ARRAY_SIZE(table) && table[number].place;
}

/* Of a number that is not in the table nobody knows. */
static bool is_told_in_three_words(uint64_t number)
{
	return is_known(number) && !table[number].is_long;
}

HOT int64_t offload(struct call *call)
{
	struct ikc_process_message message = { .kind = IKC_PROCESS_CALL, .flags = call->flags, .number = call->number };
	uint32_t changes = ids_changes(&call->process->ids);
	uint64_t begin = time_ns();
	int64_t result;

	__builtin_memcpy(message.words, call->args, sizeof(call->args));
	message.words[6] = call->facts;
	call->thread->offloads++;
	result = process_ask(&message, !call->flags && is_told_in_three_words(call->number));
	if (ids_are_about(call->number))
		ids_note(call->process, call->number, result, changes);
	ikc_status_offloaded(time_ns() - begin);
	return result;
}

/*
 * The proxy may want to know something first. Only of a call that is made here, holding nothing: to tell it, the space may
 * have to be held.
 */
HOT static int64_t offload_and_tell(struct call *call)
{
	int64_t result = offload(call);

	while (call->thread->wants_facts) {
		call->facts = process_tell_facts(call->thread->wants_facts);
		call->flags = IKC_PROCESS_TOLD;
		result = offload(call);
	}
	return result;
}

int offload_zap(uint64_t start, uint64_t size, uint32_t flags)
{
	struct ikc_process_message message = { .kind = IKC_PROCESS_ZAP, .flags = flags, .words = { start, size } };

	return process_ask(&message, true);
}

/* ---- the calls ---- */

static void trace(const struct call *call, int64_t result, uint64_t begin)
{
	struct ikc_process_message message = {
		.kind = IKC_PROCESS_TRACE,
		.slot = call->thread->slot,
		.number = call->number,
		.words = { [6] = result, [7] = time_ns() - begin },
	};

	__builtin_memcpy(message.words, call->args, sizeof(call->args));
	process_tell(&message);
}

HOT static int64_t call_here(struct call *call)
{
	int64_t result = CALL_OFFLOAD;

	if (table[call->number].place == REFUSE)
		return -ENOSYS;
	if (is_made_here(call))
		result = local[call->number](call);
	if (result == CALL_OFFLOAD && !call_arguments_are_good(call, table[call->number].arguments))
		result = -EFAULT;
	return result;
}

/* Of a later Linux. Behind the last number are those of another ABI. */
static int64_t call_unknown(const struct call *call)
{
	if (call->number >= PROCESS_CALLS_MAX)
		return -ENOSYS;
	return call_arguments_are_good(call, "vvvvvv") ? CALL_OFFLOAD : -EFAULT;
}

HOT static int64_t make(struct call *call)
{
	uint64_t begin = call->process->traces ? time_ns() : 0;
	int64_t result = is_known(call->number) ? call_here(call) : call_unknown(call);

	if (result == CALL_OFFLOAD)
		return offload_and_tell(call);
	if (call->process->traces)
		trace(call, result == CALL_ANEW ? -EINTR : result, begin);
	return result;
}

/* To the instruction that made the call. */
static void go_back(struct trap_frame *frame)
{
	frame->rax = frame->error;
	frame->rip -= SYSCALL_SIZE;
}

/* As signal(7) has it: who waits for a time, or for any of many things, is told. */
static bool is_never_restarted(const struct trap_frame *frame)
{
	static const uint16_t numbers[] = {
		7, 23, 34, 35, 64, 65, 69, 70, 128, 130, 208, 220, 230, 232, 270, 271, 281, 333, 441,
	};
	uint64_t number = frame->error;

	if (number == FUTEX_NUMBER)
		return frame->r10; /* with a time */
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

HOT void syscall_was_interrupted(struct trap_frame *frame, bool restarts)
{
	struct thread *thread = this_thread();

	if (!thread->interrupted || frame->vector != VECTOR_SYSCALL)
		return;
	thread->interrupted = false;
	if (!restarts || is_never_restarted(frame))
		return;
	go_back(frame);
}

HOT bool syscall_dispatch(struct trap_frame *frame)
{
	struct thread *thread = this_thread();
	struct call call = {
		.thread = thread,
		.process = thread->process,
		.frame = frame,
		.number = (uint32_t)frame->error, /* as Linux: the rest would hide it from the table, not from the proxy */
		.args = { frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9 },
	};
	int64_t result;

	cpu_attend();
	interrupts_enable();
	thread->interrupted = false;
	result = make(&call);
	if (result == CALL_ANEW)
		go_back(frame);
	else
		frame->rax = result;
	thread->interrupted = result == -EINTR;
	interrupts_disable();
	thread_leave_kernel(frame);
	return frame->vector == VECTOR_SYSCALL;
}
