/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that C cannot say: interrupt flag, control registers, MSRs, CPUID, ports. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <lwk/types.h>

#define RFLAGS_IF (1ul << 9)

static inline uint64_t interrupts_save(void)
{
	uint64_t flags;

	asm volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void interrupts_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		asm volatile("sti" : : : "memory");
}

static inline void interrupts_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void interrupts_disable(void)
{
	asm volatile("cli" : : : "memory");
}

static inline bool interrupts_enabled(void)
{
	uint64_t flags;

	asm volatile("pushfq; popq %0" : "=r"(flags));
	return flags & RFLAGS_IF;
}

/*
 * Enables interrupts and halts until one comes. No wake-up is lost between a check made with
 * interrupts off and this call: STI lets interrupts in only after the instruction that follows it
 * (SDM 2B, STI).
 */
static inline void halt_until_interrupt(void)
{
	asm volatile("sti; hlt" : : : "memory");
}

/* Only an NMI gets through. */
static inline _Noreturn void halt_forever(void)
{
	for (;;)
		asm volatile("cli; hlt" : : : "memory");
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

static inline uint64_t tsc_read(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

/* True if `leaf` is one that this CPU answers, in the range that it belongs to. */
static inline bool cpuid_has_leaf(uint32_t leaf)
{
	uint32_t last = cpuid(leaf & 0xf0000000, 0).eax;

	return last >= leaf && last < (leaf | 0x0fffffff);
}

static inline uint64_t cr0_read(void)
{
	uint64_t value;

	asm volatile("movq %%cr0, %0" : "=r"(value));
	return value;
}

static inline void cr0_write(uint64_t value)
{
	asm volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t cr2_read(void)
{
	uint64_t value;

	asm volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline uint64_t cr3_read(void)
{
	uint64_t value;

	asm volatile("movq %%cr3, %0" : "=r"(value));
	return value;
}

static inline void cr3_write(uint64_t value)
{
	asm volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t cr4_read(void)
{
	uint64_t value;

	asm volatile("movq %%cr4, %0" : "=r"(value));
	return value;
}

static inline void cr4_write(uint64_t value)
{
	asm volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

#endif
