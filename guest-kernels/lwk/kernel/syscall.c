/* SPDX-License-Identifier: Apache-2.0 */
/* A system call goes where the table says: to a function of this kernel, or to the proxy. */
#include <lwk/calls.h>
#include <lwk/errno.h>
#include <lwk/ikc_status.h>
#include <lwk/process_facts.h>
#include <lwk/syscall.h>
#include <lwk/time.h>
#include <lwk/user_copy.h>

enum place { LOCAL = 1, OFFLOAD, REFUSE };

#define SYSCALL_SIZE 2 /* bytes of the instruction */

#define PROXY_END 0x800000000000ull /* what Linux gives a process ends here */

static const struct {
	enum place place;
	const char *arguments;
} table[] = {
#define IKC_SYSCALL(number, name, place, arguments) [number] = { place, arguments },
#include <ikc/ikc_syscalls.def>
#undef IKC_SYSCALL
};

typedef int64_t (*local_call)(struct call *call);

#define LOCAL_CALL_LOCAL(number, name) [number] = call_##name,
#define LOCAL_CALL_OFFLOAD(number, name)
#define LOCAL_CALL_REFUSE(number, name)

static const local_call local[ARRAY_SIZE(table)] = {
#define IKC_SYSCALL(number, name, place, arguments) LOCAL_CALL_##place(number, name)
#include <ikc/ikc_syscalls.def>
#undef IKC_SYSCALL
};

int64_t offload(struct call *call)
{
	struct ikc_process_message message = { .kind = IKC_PROCESS_CALL, .flags = call->flags, .number = call->number };
	uint64_t begin = time_ns();
	int64_t result;

	for (int i = 0; i < 6; i++)
		message.words[i] = call->args[i];
	call->thread->offloads++;
	result = process_ask(&message);
	ikc_status_offloaded(time_ns() - begin);
	return result;
}

/*
 * The proxy may want to know something first. Only of a call that is made here, holding nothing: to tell it, the space may
 * have to be held.
 */
static int64_t offload_and_tell(struct call *call)
{
	int64_t result = offload(call);

	while (call->thread->wants_facts) {
		process_tell_facts(call->thread->wants_facts);
		call->flags = IKC_PROCESS_TOLD;
		result = offload(call);
	}
	return result;
}

int offload_zap(uint64_t start, uint64_t size, uint32_t flags)
{
	struct ikc_process_message message = { .kind = IKC_PROCESS_ZAP, .flags = flags, .words = { start, size } };

	return process_ask(&message);
}

/* ---- pointers ---- */

#define VECTORS_MAX 1024 /* more are EINVAL, by the proxy */

struct vector {
	uint64_t start;
	uint64_t size;
};

struct message_header {
	uint64_t name;
	uint64_t name_size;
	uint64_t vectors;
	uint64_t vector_count;
	uint64_t control;
	uint64_t control_size;
};

/* Another thread may change them after this: then the proxy's rights are what is left to protect. */
static bool vectors_are_good(uint64_t at, uint64_t count)
{
	struct vector vector;

	for (uint64_t i = 0; i < MIN(count, (uint64_t)VECTORS_MAX); i++) {
		if (copy_from_user(&vector, at + i * sizeof(vector), sizeof(vector)))
			return false;
		if (vector.size && vector.start >= IKC_USER_END)
			return false;
	}
	return true;
}

static bool header_is_good(uint64_t at)
{
	struct message_header header;

	return !copy_from_user(&header, at, sizeof(header)) && header.name < IKC_USER_END &&
	       header.control < IKC_USER_END && vectors_are_good(header.vectors, header.vector_count);
}

static bool argument_is_good(const struct call *call, char kind, int at)
{
	uint64_t value = call->args[at];

	switch (kind) {
	case 'p':
	case 's':
		return value < IKC_USER_END;
	case 'v':
		return value < IKC_USER_END || value >= PROXY_END;
	case 'w':
		return vectors_are_good(value, call->args[at + 1]);
	case 'm':
		return header_is_good(value);
	default:
		return true;
	}
}

static bool arguments_are_good(const struct call *call, const char *kinds)
{
	for (int i = 0; kinds[i]; i++)
		if (!argument_is_good(call, kinds[i], i))
			return false;
	return true;
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

	for (int i = 0; i < 6; i++)
		message.words[i] = call->args[i];
	process_tell(&message);
}

static int64_t call_here(struct call *call)
{
	int64_t result = CALL_OFFLOAD;

	if (table[call->number].place == REFUSE)
		return -ENOSYS;
	if (table[call->number].place == LOCAL)
		result = local[call->number](call);
	if (result == CALL_OFFLOAD && !arguments_are_good(call, table[call->number].arguments))
		result = -EFAULT;
	return result;
}

static int64_t make(struct call *call)
{
	uint64_t begin = call->process->traces ? time_ns() : 0;
	int64_t result = CALL_OFFLOAD;

	if (call->number < ARRAY_SIZE(table) && table[call->number].place)
		result = call_here(call);
	if (result == CALL_OFFLOAD)
		return offload_and_tell(call);
	if (call->process->traces)
		trace(call, result, begin);
	return result;
}

/* As signal(7) has it: who waits for a time, or for any of many things, is told. */
static bool is_never_restarted(uint64_t number)
{
	static const uint16_t numbers[] = {
		7, 23, 34, 35, 64, 65, 69, 70, 128, 130, 202, 208, 220, 230, 232, 270, 271, 281, 333, 441,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

void syscall_was_interrupted(struct trap_frame *frame, bool restarts)
{
	struct thread *thread = this_thread();

	if (!thread->interrupted || frame->vector != VECTOR_SYSCALL)
		return;
	thread->interrupted = false;
	if (!restarts || is_never_restarted(frame->error))
		return;
	frame->rax = frame->error;
	frame->rip -= SYSCALL_SIZE;
}

bool syscall_dispatch(struct trap_frame *frame)
{
	struct thread *thread = this_thread();
	struct call call = {
		.thread = thread,
		.process = thread->process,
		.frame = frame,
		.number = frame->error,
		.args = { frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9 },
	};

	interrupts_enable();
	thread->interrupted = false;
	frame->rax = make(&call);
	thread->interrupted = (int64_t)frame->rax == -EINTR;
	interrupts_disable();
	thread_leave_kernel(frame);
	return frame->vector == VECTOR_SYSCALL;
}
