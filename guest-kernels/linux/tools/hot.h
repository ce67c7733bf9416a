/* SPDX-License-Identifier: Apache-2.0 */
/* What each call of a program passes through lies side by side, in few pages. */
#ifndef HOT_H
#define HOT_H

#define HOT __attribute__((__hot__))

#endif
