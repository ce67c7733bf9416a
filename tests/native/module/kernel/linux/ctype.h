/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_CTYPE_H
#define NATIVE_LINUX_CTYPE_H

#include <ctype.h>

#endif
