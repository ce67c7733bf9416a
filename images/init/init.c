// SPDX-License-Identifier: Apache-2.0
/*
 * The first process of the host partition. A program of its own, because under TCG each fork and
 * exec of a shell costs milliseconds, and the whole enclave waits for this one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

#define CONSOLE "/dev/ttyS0"
#define PARTITION_KEY "enclave.partition"

enum { START_TIMEOUT_S = 60, SHELL_PAUSE_S = 1 };

static void set_hostname(void)
{
	const char *name = cmdline_value(PARTITION_KEY);

	if (!name)
		name = "host";
	if (sethostname(name, strlen(name)))
		report_errno("cannot set the host name to %s", name);
}

/* dropbear leaves the foreground only when it listens, so its parent's end means that SSH works. */
static void start_ssh(void)
{
	static const char *const argv[] = {
		"/usr/sbin/dropbear", "-E", "-s", "-r", "/etc/dropbear/host_key", NULL,
	};
	int status = program_run(argv, START_TIMEOUT_S);

	if (status)
		report("dropbear did not start (status %d): no SSH", status);
}

static void tell_ready(void)
{
	static const char *const argv[] = { "/sbin/ikcctl", "ready", NULL };
	int status;

	if (access(argv[0], X_OK)) {
		report_errno("%s", argv[0]);
		return;
	}
	status = program_run(argv, START_TIMEOUT_S);
	if (status)
		report("%s ready failed (status %d)", argv[0], status);
}

/* Reaps for ever, keeps a shell on the console, and obeys requests to end. */
static void serve(const sigset_t *signals)
{
	const struct timespec pause = { .tv_sec = SHELL_PAUSE_S };
	pid_t shell = program_start_shell(CONSOLE);
	bool started_again = true;

	for (;;) {
		/* A shell that ends at once must not be started in a tight loop. */
		int signal = sigtimedwait(signals, NULL, started_again ? NULL : &pause);
		pid_t ended;

		if (power_is_request(signal))
			power_down(signal);
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			if (ended == shell)
				started_again = false;
		if (signal < 0 && errno == EAGAIN) {
			shell = program_start_shell(CONSOLE);
			started_again = true;
		}
	}
}

int main(void)
{
	sigset_t signals;

	program_block_signals(&signals);
	setenv("HOME", "/root", 1);
	setenv("PATH", "/usr/sbin:/usr/bin", 1);
	setenv("TERM", "vt100", 1);
	filesystems_mount();
	cmdline_read();
	reboot(RB_DISABLE_CAD);
	set_hostname();
	modules_load();
	network_configure();
	start_ssh();
	tell_ready();
	serve(&signals);
}
