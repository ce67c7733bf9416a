/* SPDX-License-Identifier: Apache-2.0 */
/* Boot, in the only order that works. */
#include <arch/boot.h>
#include <arch/console.h>
#include <arch/pvh.h>
#include <lwk/cmdline.h>
#include <lwk/cpu.h>
#include <lwk/log.h>
#include <lwk/platform.h>
#include <lwk/time.h>

struct platform platform;

void boot_main(paddr_t start_info)
{
	time_start();
	console_init();
	pvh_init(start_info);
	log_init();
	log_info("lwk: command line \"%s\"", cmdline_text());
	halt_forever();
}
