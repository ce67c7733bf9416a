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
#define SHELL "/bin/sh"
#define SSH_SERVER "/usr/sbin/dropbear"
/* No path: dropbear then serves a connection in a plain fork, else it runs the file anew, 40 ms under TCG. */
#define SSH_SERVER_NAME "dropbear"
/* An address, so that it neither asks the kernel which there are nor tries IPv6. */
#define SSH_LISTEN "0.0.0.0:22"

enum { START_TIMEOUT_S = 60, SHELL_PAUSE_S = 1 };

static void set_hostname(void)
{
	const char *name = cmdline_value(PARTITION_KEY);

	if (!name)
		name = "host";
	if (sethostname(name, strlen(name)))
		report_errno("cannot set the host name to %s", name);
}

static pid_t start_ssh(void)
{
	static const char *const argv[] = {
		SSH_SERVER_NAME, "-E", "-s", "-p", SSH_LISTEN, "-r", "/etc/dropbear/host_key", NULL,
	};

	return program_start(SSH_SERVER, argv);
}

/* Every command that comes by SSH begins with a shell, and the first to run one waits for its translation. */
static void rehearse_shell(void)
{
	static const char *const argv[] = { "sh", "-c", ":", NULL };

	program_start(SHELL, argv);
}

/* dropbear leaves the foreground only when it listens, so its parent's end means that SSH works. */
static void wait_for_ssh(pid_t pid)
{
	int status = program_wait(pid, SSH_SERVER, START_TIMEOUT_S);

	if (status)
		report(SSH_SERVER " did not start (status %d): no SSH", status);
}

/*
 * Reaps for ever, keeps a shell on the console, and obeys requests to end. Each shell begins after a
 * pause: the first leaves the CPU to whoever waited for READY, and none can end and begin in a tight loop.
 */
static void serve(const sigset_t *signals)
{
	const struct timespec pause = { .tv_sec = SHELL_PAUSE_S };
	pid_t shell = PROGRAM_FAILED;

	for (;;) {
		int signal = sigtimedwait(signals, NULL, shell > 0 ? NULL : &pause);
		pid_t ended;

		if (power_is_request(signal))
			power_down(signal);
		if (signal < 0 && errno == EAGAIN)
			shell = program_start_shell(CONSOLE);
		while ((ended = waitpid(-1, NULL, WNOHANG)) > 0)
			if (ended == shell)
				shell = PROGRAM_FAILED;
	}
}

int main(void)
{
	sigset_t signals;
	pid_t processors, ssh;

	times_note("kernel");
	program_block_signals(&signals);
	setenv("HOME", "/root", 1);
	setenv("PATH", "/usr/sbin:/usr/bin", 1);
	setenv("TERM", "vt100", 1);
	filesystems_mount();
	cmdline_read();
	reboot(RB_DISABLE_CAD);
	set_hostname();
	processors = processors_start();
	times_note("file-systems");
	modules_load(MODULES_LIBRARIES);
	times_note("libraries");
	/* No CPU can start while a driver probes a PCI device (EBUSY). */
	processors_wait(processors);
	times_note("CPUs");
	ssh = start_ssh();
	modules_load(MODULES_DRIVERS);
	times_note("drivers");
	network_configure();
	times_note("network");
	rehearse_shell();
	wait_for_ssh(ssh);
	times_note("SSH-server");
	times_report();
	fabric_tell_ready();
	modules_load(MODULES_LAST);
	serve(&signals);
}
