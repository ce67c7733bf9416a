/* SPDX-License-Identifier: Apache-2.0 */
/* Boot, in the only order that works. */
#include <arch/apic.h>
#include <arch/boot.h>
#include <arch/console.h>
#include <arch/pvh.h>
#include <arch/smp.h>
#include <arch/trap.h>
#include <lwk/acpi.h>
#include <lwk/cmdline.h>
#include <lwk/cpu.h>
#include <lwk/ikc.h>
#include <lwk/log.h>
#include <lwk/page_alloc.h>
#include <lwk/paging.h>
#include <lwk/pci.h>
#include <lwk/platform.h>
#include <lwk/selftest.h>
#include <lwk/time.h>
#include <lwk/topology.h>

struct platform platform;

static _Noreturn void boot_on_own_stack(void)
{
	idt_init(true);     /* from here on a broken stack is survived long enough to be reported */
	apic_init();
	smp_init_cpu();
	xcall_init();       /* CPUs may call each other */
	timer_init();       /* a timer can be armed; none is */
	interrupts_enable();
	smp_start();        /* the other CPUs are on their way */
	pci_init();         /* devices are found */
	ikc_init();         /* log and panics reach the region: it shows there that we boot */
	smp_wait();         /* all CPUs run */
	ikc_start();        /* READY: the other kernels may talk to this one */
	selftest_run();     /* does not return if one was asked for */
	log_info("lwk: ready");
	cpu_idle();
}

void boot_main(paddr_t start_info)
{
	time_start();
	console_init();     /* the log shows */
	idt_init(false);
	idt_load();         /* a trap is reported, if the stack is good */
	pvh_init(start_info);
	log_init();
	log_info("lwk: command line \"%s\"", cmdline_text());
	acpi_init();        /* reads the firmware's tables in place: free memory afterwards */
	topology_init();
	time_init();        /* the frequency of the clock is being measured */
	paging_init();      /* RAM above 4 GiB can be reached, and address 0 no more */
	page_alloc_init();  /* the page allocator works, and early_alloc() no more */
	cpu_init();
	time_run();         /* deadlines work */
	stack_switch(this_cpu()->stack_top, boot_on_own_stack);
}
