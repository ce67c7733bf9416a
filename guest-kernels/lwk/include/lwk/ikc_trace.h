/* SPDX-License-Identifier: Apache-2.0 */
/* The record of messages that pass, while the monitor asks for it. */
#ifndef LWK_IKC_TRACE_H
#define LWK_IKC_TRACE_H

#include <ikc/ikc_trace.h>
#include <lwk/ikc_local.h>
#include <lwk/types.h>

#define IKC_TRACE_CHANNEL(index) (2 + (index))

void ikc_trace_record(const struct ikc_passage *passage, const struct ikc_message *message,
		      const void *payload);

/* `payload` is a private copy. Any context but NMI. */
static inline void ikc_trace(uint32_t peer, uint32_t generation, uint32_t ring,
			     enum ikc_trace_direction direction, const struct ikc_message *message,
			     const void *payload)
{
	struct ikc_passage passage;

	if (!ikc_trace_wanted(ikc_local.partition))
		return;
	passage = (struct ikc_passage){
		.generation = generation,
		.peer = peer,
		.ring = ring,
		.direction = direction,
	};
	ikc_trace_record(&passage, message, payload);
}

#endif
