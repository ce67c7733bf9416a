/* SPDX-License-Identifier: Apache-2.0 */
/* How ikcctl ends when something is wrong. */
#ifndef ERROR_H
#define ERROR_H

enum exit_status {
	EXIT_FAILED = 1,      /* it was tried, and did not work */
	EXIT_USAGE = 2,	      /* it makes no sense as asked */
	EXIT_ENVIRONMENT = 3, /* there is no /dev/ikc */
};

/* Says "ikcctl: ..." on standard error and exits. */
__attribute__((noreturn, format(printf, 2, 3))) void die(enum exit_status status, const char *format, ...);

#endif
