/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_NOTIFIER_H
#define NATIVE_LINUX_NOTIFIER_H

struct notifier_block {
	int unused;
};

#endif
