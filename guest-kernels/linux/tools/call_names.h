/* SPDX-License-Identifier: Apache-2.0 */
/* Names of errors and signals: "ENOENT", "SIGKILL"; "(unknown)". */
#ifndef CALL_NAMES_H
#define CALL_NAMES_H

#include <stdint.h>

const char *call_error_name(uint64_t error);
const char *call_signal_name(uint64_t number);

#endif
