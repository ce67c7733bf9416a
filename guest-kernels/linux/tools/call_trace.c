/* SPDX-License-Identifier: Apache-2.0 */
/* What a program on an LWK calls. */
#define _GNU_SOURCE
#include "call_trace.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "call_names.h"

#define LINE_MAX_SIZE 256

static const struct {
	const char *name;
	const char *arguments;
} calls[] = {
#define IKC_SYSCALL(number, name, place, arguments) [number] = { #name, arguments },
#include "ikc_syscalls.def"
#undef IKC_SYSCALL
};

#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

enum place { AT_LWK, AT_PROXY, PLACES };

static const char *const place_names[PLACES] = { "lwk", "proxy" };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock; what has no name counts as the last one. */
static struct {
	uint64_t count;
	uint64_t errors;
	uint64_t ns;
} totals[CALL_COUNT + 1][PLACES];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t call_trace_begin(void)
{
	return now_ns();
}

static bool is_error(int64_t result)
{
	return result < 0 && result > -4096;
}

static const char *name_of(uint64_t number)
{
	return number < CALL_COUNT && calls[number].name ? calls[number].name : NULL;
}

static int format_call(char *line, size_t size, const struct ikc_process_message *message)
{
	const char *name = name_of(message->number);
	const char *kinds = name ? calls[message->number].arguments : "vvvvvv";
	int length, i;

	if (name)
		length = snprintf(line, size, "%s(", name);
	else
		length = snprintf(line, size, "call %llu(", (unsigned long long)message->number);
	for (i = 0; kinds[i]; i++) {
		bool number = kinds[i] == 'i' && message->words[i] + 4096 < 1 << 30;

		length += snprintf(line + length, size - length, number ? "%s%lld" : "%s0x%llx", i ? ", " : "",
				   (long long)message->words[i]);
	}
	return length;
}

/* One write for each line: threads do not mix theirs. */
static void print_call(const struct ikc_process_message *message, int64_t result, uint64_t ns, enum place place)
{
	char line[LINE_MAX_SIZE];
	int length = format_call(line, sizeof(line), message);

	if (is_error(result))
		length += snprintf(line + length, sizeof(line) - length, ") = -1 %s", call_error_name(-result));
	else
		length += snprintf(line + length, sizeof(line) - length,
				   result < 1 << 20 && result >= 0 ? ") = %lld" : ") = 0x%llx", (long long)result);
	snprintf(line + length, sizeof(line) - length, " <%s %llu.%03llu us>\n", place_names[place],
		 (unsigned long long)ns / 1000, (unsigned long long)ns % 1000);
	fputs(line, stderr);
}

static void note(enum call_trace trace, const struct ikc_process_message *message, int64_t result, uint64_t ns,
		 enum place place)
{
	size_t at = name_of(message->number) ? message->number : CALL_COUNT;

	if (trace == CALL_TRACE_EACH) {
		print_call(message, result, ns, place);
		return;
	}
	pthread_mutex_lock(&lock);
	totals[at][place].count++;
	totals[at][place].errors += is_error(result);
	totals[at][place].ns += ns;
	pthread_mutex_unlock(&lock);
}

void call_trace_proxy(enum call_trace trace, const struct ikc_process_message *message, int64_t result,
		      uint64_t begin)
{
	note(trace, message, result, now_ns() - begin, AT_PROXY);
}

void call_trace_local(enum call_trace trace, const struct ikc_process_message *message)
{
	note(trace, message, message->words[6], message->words[7], AT_LWK);
}

static void print_summary(void)
{
	size_t at;
	int place;

	fprintf(stderr, "%-6s %8s %7s %12s %10s  %s\n", "where", "calls", "errors", "us", "us/call", "call");
	for (at = 0; at <= CALL_COUNT; at++)
		for (place = 0; place < PLACES; place++)
			if (totals[at][place].count)
				fprintf(stderr, "%-6s %8llu %7llu %12.1f %10.1f  %s\n", place_names[place],
					(unsigned long long)totals[at][place].count,
					(unsigned long long)totals[at][place].errors, totals[at][place].ns / 1e3,
					totals[at][place].ns / 1e3 / totals[at][place].count,
					at < CALL_COUNT ? calls[at].name : "(unknown)");
}

void call_trace_end(enum call_trace trace, uint32_t status)
{
	if (trace == CALL_TRACE_SUMMARY)
		print_summary();
	if (trace == CALL_TRACE_OFF)
		return;
	if (WIFSIGNALED(status))
		fprintf(stderr, "+++ killed by %s +++\n", call_signal_name(WTERMSIG(status)));
	else
		fprintf(stderr, "+++ exited with %d +++\n", WEXITSTATUS(status));
}
