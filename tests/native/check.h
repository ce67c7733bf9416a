/* SPDX-License-Identifier: Apache-2.0 */
/* What every native test needs: checks that say what they saw, and reproducible randomness. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition))                                     \
			check_failed(__FILE__, __LINE__, #condition); \
	} while (0)

#define CHECK_EQ(got, want)                                                                  \
	do {                                                                                 \
		long long got_ = (long long)(got), want_ = (long long)(want);                \
		if (got_ != want_) {                                                         \
			fprintf(stderr, "got %lld (0x%llx), want %lld (0x%llx)\n", got_,     \
				(unsigned long long)got_, want_, (unsigned long long)want_); \
			check_failed(__FILE__, __LINE__, #got " == " #want);                 \
		}                                                                            \
	} while (0)

#define RUN(test)                         \
	do {                              \
		test();                   \
		printf("ok %s\n", #test); \
		fflush(stdout);           \
	} while (0)

static inline _Noreturn void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
	exit(EXIT_FAILURE);
}

/* `make soak` runs the long form of the tests that have one. */
static inline bool soaking(void)
{
	return getenv("IKC_SOAK") != NULL;
}

/* The same numbers on every run (xorshift64*, Vigna 2016); *state is any number but 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

#endif
