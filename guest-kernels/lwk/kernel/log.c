/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel log: a ring of the last lines, the serial console, and one sink that may come later.
 */
#include <arch/console.h>
#include <lwk/cmdline.h>
#include <lwk/log.h>
#include <lwk/printf.h>
#include <lwk/spinlock.h>
#include <lwk/string.h>
#include <lwk/time.h>

#define KEPT_SIZE KIB(32) /* a power of two: indices run free */

static struct spinlock lock = SPINLOCK_INIT;
static bool in_panic;

/* under `lock` */
static char kept[KEPT_SIZE];
static uint64_t kept_end;
static log_sink attached;

static enum log_level threshold = LOG_INFO;

static const struct {
	const char *name;
	const char *prefix;
} levels[] = {
	[LOG_PANIC] = { "panic", "" },
	[LOG_ERROR] = { "error", "error: " },
	[LOG_WARN] = { "warn", "warning: " },
	[LOG_INFO] = { "info", "" },
	[LOG_DEBUG] = { "debug", "" },
};

void log_init(void)
{
	char wanted[8];

	if (!cmdline_string("loglevel", wanted, sizeof(wanted)))
		return;
	for (unsigned int level = 0; level < ARRAY_SIZE(levels); level++) {
		if (!strcmp(wanted, levels[level].name)) {
			threshold = level;
			return;
		}
	}
	log_warn("loglevel=%s: want panic, error, warn, info or debug", wanted);
}

void log_enter_panic(void)
{
	in_panic = true;
}

/*
 * In a panic all other CPUs are stopped, perhaps one of them with the lock, perhaps this very one
 * had it.
 */
static uint64_t log_lock(void)
{
	return in_panic ? interrupts_save() : spin_lock(&lock);
}

static void keep(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		kept[kept_end++ % KEPT_SIZE] = text[i];
}

static size_t format_line(char *line, enum log_level level, const char *format, va_list arguments)
{
	uint64_t us = time_ns() / NS_PER_US;
	int length;

	length = snprintf(line, LOG_LINE_MAX, "[%5lu.%06lu] %s", (us / 1000000),
			  (us % 1000000), levels[level].prefix);
	length += vsnprintf(line + length, LOG_LINE_MAX - length, format, arguments);
	length = MIN(length, LOG_LINE_MAX - 2);
	line[length++] = '\n';
	return length;
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list arguments;
	size_t length;
	uint64_t flags;

	if (level > threshold)
		return;
	va_start(arguments, format);
	length = format_line(line, level, format, arguments);
	va_end(arguments);

	flags = log_lock();
	keep(line, length);
	if (attached)
		attached(line, length);
	console_write(line, length);
	spin_unlock(&lock, flags);
}

void log_attach_sink(log_sink sink)
{
	uint64_t flags = log_lock();
	uint64_t start = kept_end > KEPT_SIZE ? kept_end - KEPT_SIZE : 0;

	while (start < kept_end) {
		size_t at = start % KEPT_SIZE;
		size_t length = MIN(kept_end - start, KEPT_SIZE - at);

		sink(kept + at, length);
		start += length;
	}
	attached = sink;
	spin_unlock(&lock, flags);
}
