/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signal handler finds on its stack, in the form that Linux gives it on x86-64: siginfo, and a ucontext out
 * of which the interrupted registers come back. Between the two a program may write there whatever it likes.
 */
#include <arch/user_mode.h>
#include <ikc/ikc_process.h>
#include <lwk/errno.h>
#include <lwk/signal.h>
#include <lwk/string.h>
#include <lwk/thread.h>
#include <lwk/user_copy.h>

#define RED_ZONE 128 /* below the stack pointer, a function's own (System V ABI, 3.2.2) */

#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4

/* Carry, parity, adjust, zero, sign, trap, direction, overflow, resume, alignment check: a program's to set. */
#define RFLAGS_OF_PROGRAMS 0x50dd5ul
#define RFLAGS_FIXED 0x202ul /* interrupts on; reserved */

#define FPU_STATE_MAGIC 0x46505853u
#define FPU_STATE_MAGIC_END 0x46505845u
#define FPU_SOFTWARE_AT 464 /* in the area of FXSAVE: for the kernel to use */

struct fpu_software {
	uint32_t magic;
	uint32_t extended_size; /* with the magic behind it */
	uint64_t features;
	uint32_t size;
	uint32_t reserved[7];
};

struct machine_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, old_mask, cr2;
	uint64_t fpu_state;
	uint64_t reserved[8];
};

struct user_context {
	uint64_t flags;
	uint64_t link;
	struct signal_stack stack;
	struct machine_context machine;
	uint64_t mask;
};

struct signal_info {
	int32_t number;
	int32_t error;
	int32_t code;
	int32_t reserved;
	union {
		uint64_t address;
		struct {
			uint32_t pid;
			uint32_t uid;
		} sender;
	};
	uint64_t value;
	uint8_t rest[96];
};

struct signal_frame {
	uint64_t return_address;
	struct user_context context;
	struct signal_info info;
};

_Static_assert(sizeof(struct machine_context) == 256, "sigcontext of Linux");
_Static_assert(sizeof(struct signal_info) == 128, "siginfo of Linux");

static uint64_t stack_for(const struct thread *thread, const struct trap_frame *frame,
			  const struct signal_action *action)
{
	const struct signal_stack *stack = &thread->signal_stack;

	if (action->flags & SA_ONSTACK && stack->size && !signal_is_on_stack(thread, frame->rsp))
		return stack->start + stack->size;
	return frame->rsp - RED_ZONE;
}

/* ---- FPU state ---- */

static int push_fpu(struct thread *thread, uint64_t at)
{
	uint32_t size = arch_thread_save_fpu(&thread->registers), end = FPU_STATE_MAGIC_END;
	struct fpu_software software = {
		.magic = FPU_STATE_MAGIC,
		.extended_size = size + sizeof(end),
		.features = arch_fpu_features(),
		.size = size,
	};

	if (copy_to_user(at, thread->registers.fpu, size) ||
	    copy_to_user(at + FPU_SOFTWARE_AT, &software, sizeof(software)))
		return -EFAULT;
	return copy_to_user(at + size, &end, sizeof(end));
}

static int pop_fpu(struct thread *thread, uint64_t at)
{
	int err = 0;

	/* a timer that came in between would save the registers over it */
	if (at) {
		interrupts_disable();
		err = copy_from_user(thread->registers.fpu, at, arch_fpu_size());
		arch_thread_restore_fpu(&thread->registers);
		interrupts_enable();
	}
	return err;
}

/* ---- the rest ---- */

static void save_registers(struct machine_context *to, const struct trap_frame *frame)
{
	*to = (struct machine_context){
		.r8 = frame->r8, .r9 = frame->r9, .r10 = frame->r10, .r11 = frame->r11,
		.r12 = frame->r12, .r13 = frame->r13, .r14 = frame->r14, .r15 = frame->r15,
		.rdi = frame->rdi, .rsi = frame->rsi, .rbp = frame->rbp, .rbx = frame->rbx,
		.rdx = frame->rdx, .rax = frame->rax, .rcx = frame->rcx, .rsp = frame->rsp,
		.rip = frame->rip, .rflags = frame->rflags, .cs = frame->cs, .ss = frame->ss,
		.error = frame->vector == VECTOR_SYSCALL ? 0 : frame->error,
		.vector = frame->vector == VECTOR_SYSCALL ? 0 : frame->vector,
	};
}

static void load_registers(struct trap_frame *frame, const struct machine_context *from)
{
	*frame = (struct trap_frame){
		.r8 = from->r8, .r9 = from->r9, .r10 = from->r10, .r11 = from->r11,
		.r12 = from->r12, .r13 = from->r13, .r14 = from->r14, .r15 = from->r15,
		.rdi = from->rdi, .rsi = from->rsi, .rbp = from->rbp, .rbx = from->rbx,
		.rdx = from->rdx, .rax = from->rax, .rcx = from->rcx, .rsp = from->rsp,
		.rip = from->rip,
		.rflags = (from->rflags & RFLAGS_OF_PROGRAMS) | RFLAGS_FIXED,
		.cs = USER_CODE_SELECTOR,
		.ss = USER_DATA_SELECTOR,
	};
}

static struct signal_info info_of(uint32_t number, const struct signal_cause *cause)
{
	struct signal_info info = { .number = number, .code = cause->code };

	if (cause->address) {
		info.address = cause->address;
	} else {
		info.sender.pid = cause->pid;
		info.sender.uid = cause->uid;
		info.value = cause->value;
	}
	return info;
}

int signal_get_info(uint64_t from, struct signal_cause *cause)
{
	struct signal_info info;

	if (copy_from_user(&info, from, sizeof(info)))
		return -EFAULT;
	*cause = (struct signal_cause){
		.code = info.code,
		.pid = info.sender.pid,
		.uid = info.sender.uid,
		.value = info.value,
	};
	return 0;
}

int signal_put_info(uint64_t to, uint32_t number, const struct signal_cause *cause)
{
	struct signal_info info = info_of(number, cause);

	return copy_to_user(to, &info, sizeof(info));
}

static void go_to_handler(struct trap_frame *frame, uint64_t at, uint32_t number, uint64_t handler)
{
	frame->rip = handler;
	frame->rsp = at;
	frame->rdi = number;
	frame->rsi = at + offsetof(struct signal_frame, info);
	frame->rdx = at + offsetof(struct signal_frame, context);
	frame->rax = 0;
	frame->rflags = RFLAGS_FIXED;
	frame->vector = 0; /* by IRET: all registers are as the frame says */
}

int signal_frame_push(struct thread *thread, struct trap_frame *frame, uint32_t number,
		      const struct signal_action *action, const struct signal_cause *cause, uint64_t mask)
{
	uint64_t top = stack_for(thread, frame, action);
	uint64_t fpu = ALIGN_DOWN(top - arch_fpu_size() - sizeof(uint32_t), 64);
	/* as if it had been called: 8 more than a multiple of 16 */
	uint64_t at = ALIGN_DOWN(fpu - sizeof(struct signal_frame), 16) - 8;
	struct signal_frame pushed = {
		.return_address = action->restorer,
		.context = {
			.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
			.stack = signal_stack_now(thread, frame->rsp),
			.mask = mask,
		},
		.info = info_of(number, cause),
	};

	if (action->handler >= IKC_USER_END)
		return -EFAULT;
	save_registers(&pushed.context.machine, frame);
	pushed.context.machine.cr2 = cause->address;
	pushed.context.machine.old_mask = mask;
	pushed.context.machine.fpu_state = fpu;
	if (push_fpu(thread, fpu) || copy_to_user(at, &pushed, sizeof(pushed)))
		return -EFAULT;
	signal_stack_disarm(thread);
	go_to_handler(frame, at, number, action->handler);
	return 0;
}

int signal_frame_pop(struct thread *thread, struct trap_frame *frame, uint64_t *mask)
{
	struct user_context context;

	/* the handler has returned to the restorer: its return address is gone */
	if (copy_from_user(&context, frame->rsp - sizeof(uint64_t) + offsetof(struct signal_frame, context),
			   sizeof(context)))
		return -EFAULT;
	if (context.machine.rip >= IKC_USER_END)
		return -EFAULT;
	if (pop_fpu(thread, context.machine.fpu_state))
		return -EFAULT;
	signal_stack_set(thread, frame->rsp, &context.stack); /* what it does not allow was not so before */
	load_registers(frame, &context.machine);
	*mask = context.mask;
	return 0;
}
