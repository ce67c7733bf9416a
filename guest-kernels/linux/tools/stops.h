/* SPDX-License-Identifier: Apache-2.0 */
/* SIGSTOP and SIGCONT of the proxy are also the program's. */
#ifndef STOPS_H
#define STOPS_H

#include "proxy.h"

/* Has the LWK told from now on when this process is stopped, and when it goes on. */
void stops_tell(const struct proxy *proxy);

#endif
