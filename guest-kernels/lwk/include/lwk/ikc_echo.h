/* SPDX-License-Identifier: Apache-2.0 */
/* IKC_PORT_ECHO: what comes goes back. */
#ifndef LWK_IKC_ECHO_H
#define LWK_IKC_ECHO_H

#define IKC_ECHO_MAGIC 0x4f484345u /* "ECHO": of its channels */

/* Before the links start. */
void ikc_echo_init(void);

#endif
