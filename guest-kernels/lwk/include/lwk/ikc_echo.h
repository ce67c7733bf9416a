/* SPDX-License-Identifier: Apache-2.0 */
/* IKC_PORT_ECHO: what comes goes back. */
#ifndef LWK_IKC_ECHO_H
#define LWK_IKC_ECHO_H

/* Before the links start. */
void ikc_echo_init(void);

#endif
