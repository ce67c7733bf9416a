// SPDX-License-Identifier: Apache-2.0
/*
 * Starts the CPUs that `maxcpus=` kept back. The command line keeps all but one back under TCG: QEMU
 * before 8.1 may go on running an instruction that another CPU has just patched, and Linux patches
 * itself all through its boot (docs/decisions.md, "Linux boots on one CPU under TCG").
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define ONLINE "/sys/devices/system/cpu/cpu%d/online"

enum { PATH_SIZE = 64 };

/* The first CPU has no such file, and those that are on already take the same word again. */
static void start(int cpu, int fd)
{
	if (write(fd, "1", 1) != 1)
		report_errno("cannot start CPU %d", cpu);
	close(fd);
}

static void start_all(void)
{
	int last = (int)sysconf(_SC_NPROCESSORS_CONF);

	for (int cpu = 1; cpu < last; cpu++) {
		char path[PATH_SIZE];
		int fd;

		snprintf(path, sizeof(path), ONLINE, cpu);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			start(cpu, fd);
		else if (errno != ENOENT)
			report_errno("%s", path);
	}
}

/* A process of its own: to start a CPU is half waiting. */
pid_t processors_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		start_all();
		_exit(0);
	}
	if (pid < 0)
		report_errno("cannot fork to start the CPUs");
	return pid;
}

void processors_wait(pid_t pid)
{
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}
