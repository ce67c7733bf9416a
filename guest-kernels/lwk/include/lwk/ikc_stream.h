/* SPDX-License-Identifier: Apache-2.0 */
/* IKC_PORT_STREAM: checked message streams, for tests of a link. */
#ifndef LWK_IKC_STREAM_H
#define LWK_IKC_STREAM_H

#include <lwk/types.h>

/* The service; before the links start. */
void ikc_stream_init(void);

/*
 * Asks the peer's service to check a stream, and sends it. The report comes to `own_port`, on which
 * the caller listens. CPU 0's work.
 */
void ikc_stream_send(uint32_t peer, uint16_t own_port, uint32_t seed, uint32_t count);

/*
 * Obeys stream=<peer>:<count>:<seed> on the command line: sends it each time the link to that peer
 * comes up.
 */
void ikc_stream_boot_init(void);

#endif
