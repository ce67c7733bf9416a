/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel's source takes for granted. */
#ifndef NATIVE_LINUX_KERNEL_H
#define NATIVE_LINUX_KERNEL_H

#include <linux/errno.h>
#include <linux/types.h>
#include <string.h>

#define __iomem
#define __user

#define U16_MAX UINT16_MAX
#define BIT(n) (1ul << (n))
#define BIT_ULL(n) (1ull << (n))
#define NSEC_PER_USEC 1000L
#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_SEC 1000000000L

#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define smp_rmb() __atomic_signal_fence(__ATOMIC_SEQ_CST) /* as on x86 */
#define cpu_relax() __builtin_ia32_pause()

#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))

#define barrier() __asm__ __volatile__("" ::: "memory")
#define noinline __attribute__((__noinline__))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define min_t(type, a, b)                         \
	({                                        \
		type a_ = (a), b_ = (b);          \
		a_ < b_ ? a_ : b_;                \
	})

#define struct_size(pointer, member, count) (sizeof(*(pointer)) + sizeof((pointer)->member[0]) * (count))

static inline void strscpy(char *to, const char *from, size_t size)
{
	strncpy(to, from, size - 1);
	to[size - 1] = '\0';
}

static inline unsigned long __ffs64(u64 word)
{
	return (unsigned long)__builtin_ctzll(word);
}

#endif
