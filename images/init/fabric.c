// SPDX-License-Identifier: Apache-2.0
/*
 * Tells the fabric that this host is READY. Not by running `ikcctl ready`: to start a program costs
 * as much as all file systems together, and somebody is waiting.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <ikc_uapi.h>

#include "init.h"

#define FABRIC "/dev/ikc"

void fabric_tell_ready(void)
{
	int fd = open(FABRIC, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		report_errno("nobody is told that this host is READY: " FABRIC);
		return;
	}
	if (ioctl(fd, IKC_IOCTL_READY))
		report_errno("the fabric does not take that this host is READY");
	close(fd);
}
