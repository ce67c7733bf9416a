/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATIVE_LINUX_MODULE_H
#define NATIVE_LINUX_MODULE_H

#define KBUILD_MODNAME "ikc"

#endif
