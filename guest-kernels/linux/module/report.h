/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel found of its CPUs, memory and distances. */
#ifndef REPORT_H
#define REPORT_H

#include "ikc_layout.h"

/* 0 or -ENOMEM. */
int report_write(struct ikc_report *shared);

#endif
