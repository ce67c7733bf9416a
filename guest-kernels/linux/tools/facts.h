/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the LWK has told of itself for a call that is about to be made (IKC_PROCESS_FACT). Its numbers are a peer's: they
 * may be any.
 */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "ikc_process.h"

/* More are not kept: no text is made of so many. */
#define FACTS_MAX (1 << 18)

struct facts {
	size_t count; /* kept */
	size_t room;
	struct ikc_process_message all[]; /* `room`; kind 0: none */
};

/* Keeps one for the thread of its slot; its `life` is its place. Any may come first. False: no memory, or no slot. */
bool facts_add(const struct ikc_process_message *message);

/*
 * What has come for that thread since this was last asked, or NULL; to be freed. So many were sent before: those that other
 * workers have taken, and not yet kept, are waited for.
 */
struct facts *facts_take(uint32_t slot, uint64_t sent);

/* Whether there is one at least of each kind in the set, of which bit 1 << kind is each. */
bool facts_have(const struct facts *facts, uint64_t set);

/* The words of the next fact of a kind behind `previous`, or of the first: NULL. NULL: there is no more. */
const uint64_t *facts_next(const struct facts *facts, enum ikc_process_fact kind, const uint64_t *previous);

/* Each of a kind; `words` are its words. */
#define for_each_fact(words, facts, kind)                                                                     \
	for (const uint64_t *words = facts_next(facts, kind, NULL); words; words = facts_next(facts, kind, words))

#endif
