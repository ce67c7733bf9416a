/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first process of the host partition: what each of its files offers to the others.
 *
 * Every function that can fail says so in the kernel log itself, in words, and the boot goes on:
 * a host without a network can still be reached by its console.
 */
#ifndef INIT_H
#define INIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* report.c: one line to the kernel log, "init: " before it */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with ": " and what errno means after it. */
void report_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* times.c: notes that a step, a word without spaces, is done; and says all that was noted in one line */
void times_note(const char *done);
void times_report(void);

/* cmdline.c: the words of the kernel's command line */
void cmdline_read(void);
/* The value of the last `key=value`, or NULL; valid for the life of the process. */
const char *cmdline_value(const char *key);
/* Writes every `module.parameter=value` of one module to `out` as `parameter=value`, space between. */
void cmdline_module_parameters(const char *module, char *out, size_t size);

/* filesystems.c */
void filesystems_mount(void);

/* processors.c: starts all CPUs, at the side; wait for the pid that it returns */
pid_t processors_start(void);
void processors_wait(pid_t pid);

/* modules.c: loads the modules that a file of /etc/modules lists, in its order */
#define MODULES_LIBRARIES "libraries"
#define MODULES_DRIVERS "drivers"
#define MODULES_LAST "last"
void modules_load(const char *list);

/* network.c: lo, and eth0 as QEMU's user network expects it */
void network_configure(void);

/* fabric.c */
void fabric_tell_ready(void);

/* program.c: child processes */
#define PROGRAM_FAILED (-1)
/* Returns the pid of a child that runs the file `path`, or PROGRAM_FAILED. */
pid_t program_start(const char *path, const char *const argv[]);
/* Returns its exit status, 128 + signal, or PROGRAM_FAILED if it did not start or end in time. */
int program_wait(pid_t pid, const char *name, int timeout_s);
/* Starts a login shell that owns the terminal `tty`; returns its pid or PROGRAM_FAILED. */
pid_t program_start_shell(const char *tty);
/* The signals that init waits for and its children must not inherit blocked. */
void program_block_signals(sigset_t *set);

/* power.c: kills all, syncs, and ends the machine as `signal` asks; does not return */
bool power_is_request(int signal);
void power_down(int signal) __attribute__((noreturn));

#endif
