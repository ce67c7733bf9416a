/* SPDX-License-Identifier: Apache-2.0 */
/* This partition's pool of payloads to lend (docs/ikc-protocol.md, "Lent payloads"). */
#ifndef LWK_IKC_POOL_H
#define LWK_IKC_POOL_H

#include <ikc/ikc_pool.h>
#include <lwk/ikc_channel.h>
#include <lwk/types.h>

/*
 * Room for `length` bytes: its first page, or -EAGAIN. `channel` is who gets a call of writable() then,
 * when there may be some; NULL: nobody. Any context but NMI, without a channel's lock.
 */
int ikc_pool_claim(uint32_t length, struct channel *channel);

/* Gives back what was claimed and not lent. */
void ikc_pool_release(uint32_t first, uint32_t length);

void *ikc_pool_page(uint32_t first);

/* Of a channel's loans, under its lock: takes back those that the peer has taken. 0 or -EPROTO. */
int ikc_pool_reap(struct ikc_loans *loans, const struct ikc_sender *sender);

/* Takes all of them back. */
void ikc_pool_end(struct ikc_loans *loans, const struct ikc_sender *sender);

#endif
