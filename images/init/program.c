// SPDX-License-Identifier: Apache-2.0
/* Child processes of init. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "init.h"

void program_block_signals(sigset_t *set)
{
	static const int waited_for[] = { SIGCHLD, SIGTERM, SIGUSR1, SIGUSR2, SIGINT };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(waited_for) / sizeof(waited_for[0]); i++)
		sigaddset(set, waited_for[i]);
	sigprocmask(SIG_SETMASK, set, NULL);
}

/* In the child: never returns. */
static void become(const char *path, const char *const argv[])
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, (char *const *)argv);
	report_errno("cannot run %s", path);
	_exit(127);
}

/* In the child: what it writes to its standard error becomes lines of the kernel log. */
static void stderr_to_kernel_log(void)
{
	int fd = open("/dev/kmsg", O_WRONLY);

	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static bool wait_for_child_signal(int timeout_s)
{
	struct timespec timeout = { .tv_sec = timeout_s };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return sigtimedwait(&child, NULL, &timeout) == SIGCHLD || errno == EINTR;
}

static int exit_status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t program_start(const char *path, const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		stderr_to_kernel_log();
		become(path, argv);
	}
	if (pid < 0)
		report_errno("cannot fork for %s", path);
	return pid;
}

int program_wait(pid_t pid, const char *name, int timeout_s)
{
	int status;

	if (pid < 0)
		return PROGRAM_FAILED;
	while (waitpid(pid, &status, WNOHANG) != pid)
		if (!wait_for_child_signal(timeout_s)) {
			report("%s did not end within %d s", name, timeout_s);
			return PROGRAM_FAILED;
		}
	return exit_status_of(status);
}

pid_t program_start_shell(const char *tty)
{
	static const char *const argv[] = { "-sh", NULL };
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		report_errno("cannot fork for the shell on %s", tty);
	if (pid)
		return pid;
	setsid();
	fd = open(tty, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 1)) {
		report_errno("no shell on %s", tty);
		_exit(1);
	}
	for (int target = STDIN_FILENO; target <= STDERR_FILENO; target++)
		dup2(fd, target);
	if (fd > STDERR_FILENO)
		close(fd);
	if (chdir(getenv("HOME")))
		report_errno("cannot enter %s", getenv("HOME"));
	become("/bin/sh", argv);
	return PROGRAM_FAILED;
}
