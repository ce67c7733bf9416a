/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_KMSG_DUMP_H
#define NATIVE_LINUX_KMSG_DUMP_H

struct kmsg_dump_iter {
	int unused;
};

#endif
