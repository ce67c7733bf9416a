/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel log: one call is one line, "[    0.012345] text", on the serial console and in the log
 * ring.
 */
#ifndef LWK_LOG_H
#define LWK_LOG_H

#include <lwk/types.h>

/* The longest line, timestamp and newline included; what is longer is cut. */
#define LOG_LINE_MAX 256

enum log_level { LOG_PANIC, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Safe in any context: interrupt, NMI, panic. No newline at the end of `format`. */
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * A second reader of the log beside the serial console. It gets whole lines with their newline, one
 * call at a time (the log's lock is held), possibly from an NMI: it must not log, lock or allocate.
 */
typedef void (*log_sink)(const char *text, size_t length);

/* Attaches the one sink, after replaying to it everything logged so far (up to the last 32 KiB). */
void log_attach_sink(log_sink sink);

/* Reads loglevel=panic|error|warn|info|debug: what is less important is dropped. */
void log_init(void);

/*
 * From now on only this CPU logs, and takes no lock. Called by panic, when all others are stopped.
 */
void log_enter_panic(void);

#endif
