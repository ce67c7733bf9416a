/* SPDX-License-Identifier: Apache-2.0 */
/* How a tool ends when something is wrong. */
#ifndef ERROR_H
#define ERROR_H

enum exit_status {
	EXIT_FAILED = 1,      /* it was tried, and did not work */
	EXIT_USAGE = 2,	      /* it makes no sense as asked */
	EXIT_ENVIRONMENT = 3, /* there is no /dev/ikc */
};

/* For a tool whose status is another program's: its own failures are this one, whatever they are. 0: they differ. */
extern int error_only_status;

/* Says "NAME OF THE TOOL: ..." on standard error and exits. */
__attribute__((noreturn, format(printf, 2, 3))) void die(enum exit_status status, const char *format, ...);

#endif
