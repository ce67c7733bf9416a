/* SPDX-License-Identifier: Apache-2.0 */
/* What channel_turn.h names; channel_turn.c is not built here. */
#ifndef NATIVE_LINUX_TIMER_H
#define NATIVE_LINUX_TIMER_H

struct timer_list {
	int unused;
};

#endif
