/* SPDX-License-Identifier: Apache-2.0 */
/* Asks Linux the same thing again and again, until somebody ends it. */
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	for (;;)
		syscall(SYS_getppid);
}
