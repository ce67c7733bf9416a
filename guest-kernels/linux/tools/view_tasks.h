/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/task: the threads of a process on an LWK, with comm, stat and status of each. */
#ifndef VIEW_TASKS_H
#define VIEW_TASKS_H

#include "view_process.h"

#define VIEW_TASKS_FACTS VIEW_STATUS_FACTS

/* As they are now, in a file system that is there as long as somebody has it open. Below 0: -errno. */
int view_tasks_make(const struct facts *facts, const struct program *program);

#endif
