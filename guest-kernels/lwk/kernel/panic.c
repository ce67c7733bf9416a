/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the kernel by its own decision. */
#include <lwk/log.h>
#include <lwk/panic.h>
#include <lwk/printf.h>
#include <lwk/cpu.h>

_Noreturn void panic(const char *format, ...)
{
	char reason[LOG_LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	log_enter_panic();
	log_error("panic: %s", reason);
	halt_forever();
}
