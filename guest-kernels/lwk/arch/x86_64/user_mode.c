/* SPDX-License-Identifier: Apache-2.0 */
/* The registers that belong to a program, and how a CPU goes from one program to another. */
#include <arch/user_mode.h>
#include <lwk/cpu.h>
#include <lwk/panic.h>
#include <lwk/string.h>

#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_USER_GS_BASE 0xc0000102 /* SWAPGS brings it in */

#define EFER_SCE (1ul << 0)

#define CR0_TS (1ul << 3)

#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_UMIP (1ul << 11)
#define CR4_OSXSAVE (1ul << 18)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)

#define RFLAGS_RESERVED (1ul << 1)
#define RFLAGS_TF (1ul << 8)
#define RFLAGS_DF (1ul << 10)
#define RFLAGS_NT (1ul << 14)
#define RFLAGS_AC (1ul << 18)

/* SDM 1, section 13.1: x87, SSE, AVX, and the three parts of AVX-512 */
#define XSTATE_WANTED 0xe7ul

#define FCW_DEFAULT 0x37f
#define MXCSR_DEFAULT 0x1f80
#define MXCSR_ALLOWED 0xffffu /* further bits are reserved: to load them traps */
#define MXCSR_AT 24 /* these two in the area of FXSAVE */
#define FXSAVE_SIZE 512
#define XSAVE_HEADER_SIZE 64 /* behind it: what there is, how it is packed, and zeroes */

bool user_access_is_guarded;

static uint64_t xstate; /* 0: this CPU has no XSAVE */
static uint32_t fpu_size = FXSAVE_SIZE;

static inline void xcr0_write(uint64_t value)
{
	asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

/* ---- what the CPU has ---- */

static uint64_t features_of_user_mode(void)
{
	struct cpuid leaf7 = { 0 };
	uint64_t features = CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpuid_has_leaf(7))
		leaf7 = cpuid(7, 0);
	if (leaf7.ebx & 1 << 7)
		features |= CR4_SMEP;
	if (leaf7.ebx & 1 << 20)
		features |= CR4_SMAP;
	if (leaf7.ecx & 1 << 2)
		features |= CR4_UMIP;
	if (cpuid(1, 0).ecx & 1 << 26)
		features |= CR4_OSXSAVE;
	return features;
}

static void fpu_init_cpu(void)
{
	struct cpuid leaf = cpuid(0xd, 0);
	uint64_t wanted = ((uint64_t)leaf.edx << 32 | leaf.eax) & XSTATE_WANTED;

	xcr0_write(wanted);
	leaf = cpuid(0xd, 0); /* its size goes by what is enabled */
	if (leaf.ebx > FPU_STATE_MAX)
		panic("FPU state of %u bytes: there is room for %u", leaf.ebx, FPU_STATE_MAX);
	xstate = wanted;
	fpu_size = leaf.ebx;
}

void user_mode_init_cpu(void)
{
	uint64_t features = features_of_user_mode();

	cr4_write(cr4_read() | features);
	if (features & CR4_OSXSAVE)
		fpu_init_cpu();
	if (features & CR4_SMAP)
		user_access_is_guarded = true;
	msr_write(MSR_STAR, (uint64_t)(GDT_KERNEL_DATA * 8 + 3) << 48 | (uint64_t)(GDT_KERNEL_CODE * 8) << 32);
	msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
	msr_write(MSR_FMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
}

/* ---- a thread's registers ---- */

void arch_thread_init(struct arch_thread *thread, uint64_t domain)
{
	uint16_t control = FCW_DEFAULT;
	uint32_t mxcsr = MXCSR_DEFAULT;

	memset(thread, 0, sizeof(*thread));
	thread->domain = domain;
	memcpy(thread->fpu, &control, sizeof(control));
	memcpy(thread->fpu + MXCSR_AT, &mxcsr, sizeof(mxcsr));
}

static void fpu_save(struct arch_thread *thread)
{
	if (xstate)
		asm volatile("xsave64 (%0)"
			     :
			     : "r"(thread->fpu), "a"((uint32_t)xstate), "d"((uint32_t)(xstate >> 32))
			     : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r"(thread->fpu) : "memory");
}

static void fpu_restore(const struct arch_thread *thread)
{
	if (xstate)
		asm volatile("xrstor64 (%0)"
			     :
			     : "r"(thread->fpu), "a"((uint32_t)xstate), "d"((uint32_t)(xstate >> 32))
			     : "memory");
	else
		asm volatile("fxrstor64 (%0)" : : "r"(thread->fpu) : "memory");
}

/* Whether the FPU may be used: where it may not be, who does traps. */
static void fpu_allow(struct arch_cpu *arch, bool allowed)
{
	if (arch->fpu_forbidden == !allowed)
		return;
	arch->fpu_forbidden = !allowed;
	if (allowed)
		asm volatile("clts" : : : "memory");
	else
		cr0_write(cr0_read() | CR0_TS);
}

static void fpu_take(struct arch_cpu *arch, struct arch_thread *thread)
{
	fpu_allow(arch, true);
	if (arch->fpu == thread)
		return;
	if (arch->fpu)
		fpu_save(arch->fpu);
	fpu_restore(thread);
	arch->fpu = thread;
}

uint32_t arch_thread_save_fpu(struct arch_thread *thread)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	if (arch->fpu == thread) {
		fpu_allow(arch, true);
		fpu_save(thread);
	}
	return fpu_size;
}

void arch_thread_inherit(struct arch_thread *thread, struct arch_thread *from)
{
	memcpy(thread->fpu, from->fpu, arch_thread_save_fpu(from));
}

/* What would trap is put right: a program may have written anything. */
static void fpu_make_sane(struct arch_thread *thread)
{
	uint64_t header[XSAVE_HEADER_SIZE / sizeof(uint64_t)] = { 0 };
	uint32_t mxcsr;

	memcpy(&mxcsr, thread->fpu + MXCSR_AT, sizeof(mxcsr));
	mxcsr &= MXCSR_ALLOWED;
	memcpy(thread->fpu + MXCSR_AT, &mxcsr, sizeof(mxcsr));
	memcpy(header, thread->fpu + FXSAVE_SIZE, sizeof(header[0]));
	header[0] &= xstate;
	memcpy(thread->fpu + FXSAVE_SIZE, header, sizeof(header));
}

void arch_thread_restore_fpu(struct arch_thread *thread)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	fpu_make_sane(thread);
	if (arch->fpu == thread) {
		fpu_allow(arch, true);
		fpu_restore(thread);
	}
}

void arch_thread_use_fpu(void)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	fpu_take(arch, arch->registers);
}

uint32_t arch_fpu_size(void)
{
	return fpu_size;
}

uint64_t arch_fpu_features(void)
{
	return xstate;
}

/* Hardly any program has one, and under TCG to write it takes as long as ten functions. */
static void user_gs_base_write(struct arch_cpu *arch, uint64_t base)
{
	if (!arch->user_gs_base && !base)
		return;
	arch->user_gs_base = base;
	msr_write(MSR_USER_GS_BASE, base);
}

/*
 * To save the FPU's state and to load another takes longer than all the rest of going from thread to thread. Between threads of
 * one process it is done when the next one uses the FPU; what another process has left is taken away at once. Who comes back to
 * a state that is his own still is not allowed it at once either: TCG keeps translated code apart by whether the FPU may be used,
 * and finds none of it quickly where threads that use it and threads that do not take turns.
 */
HOT void arch_thread_load(struct arch_thread *thread)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	if (arch->registers == thread)
		return;
	msr_write(MSR_FS_BASE, thread->fs_base);
	user_gs_base_write(arch, thread->gs_base);
	arch->registers = thread;
	if (arch->fpu && arch->fpu->domain == thread->domain)
		fpu_allow(arch, false);
	else
		fpu_take(arch, thread);
}

void arch_thread_forget(struct arch_thread *thread)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	if (arch->registers == thread)
		arch->registers = NULL;
	if (arch->fpu == thread)
		arch->fpu = NULL;
}

void arch_thread_leave(struct arch_thread *thread)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	if (arch->fpu == thread) {
		fpu_allow(arch, true);
		fpu_save(thread);
	}
	arch_thread_forget(thread);
}

void arch_thread_set_fs_base(struct arch_thread *thread, uint64_t base)
{
	thread->fs_base = base;
	msr_write(MSR_FS_BASE, base);
}

void arch_thread_set_gs_base(struct arch_thread *thread, uint64_t base)
{
	thread->gs_base = base;
	user_gs_base_write(&this_cpu()->arch, base);
}

/* ---- kernel stacks ---- */

void user_frame_init(struct trap_frame *frame, uint64_t entry, uint64_t stack)
{
	*frame = (struct trap_frame){
		.rip = entry,
		.cs = USER_CODE_SELECTOR,
		.rflags = RFLAGS_IF | RFLAGS_RESERVED,
		.rsp = stack,
		.ss = USER_DATA_SELECTOR,
	};
}

HOT void user_mode_set_entry_stack(uint64_t top)
{
	struct arch_cpu *arch = &this_cpu()->arch;

	arch->entry_stack = top;
	arch->tss.rsp[0] = top;
}

/* What context_switch() takes off a stack: six registers and where to go on. */
uint64_t context_begin(struct trap_frame *frame)
{
	uint64_t *stack = (uint64_t *)frame;

	*--stack = (uint64_t)trap_frame_return;
	for (int i = 0; i < 6; i++)
		*--stack = 0;
	return (uint64_t)stack;
}
