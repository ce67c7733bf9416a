/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_CONSOLE_H
#define NATIVE_LINUX_CONSOLE_H

struct console {
	int unused;
};

#endif
