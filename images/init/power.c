// SPDX-License-Identifier: Apache-2.0
/* The end of the machine. busybox's poweroff, halt and reboot tell pid 1 by these signals. */
#include <linux/reboot.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

bool power_is_request(int signal)
{
	return signal == SIGTERM || signal == SIGUSR1 || signal == SIGUSR2 || signal == SIGINT;
}

static void end_all_processes(void)
{
	const struct timespec grace = { .tv_nsec = 100 * 1000 * 1000 };

	kill(-1, SIGTERM);
	nanosleep(&grace, NULL);
	kill(-1, SIGKILL);
}

void power_down(int signal)
{
	/* SIGINT is Ctrl-Alt-Del; a halted virtual machine is of no use, so halt is power-off. */
	bool again = signal == SIGTERM || signal == SIGINT;

	report(again ? "restarting" : "powering off");
	end_all_processes();
	sync();
	reboot(again ? LINUX_REBOOT_CMD_RESTART : LINUX_REBOOT_CMD_POWER_OFF);
	report_errno("cannot %s", again ? "restart" : "power off");
	for (;;)
		pause();
}
