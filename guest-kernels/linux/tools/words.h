/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of the region as the words that people and JSON use. */
#ifndef WORDS_H
#define WORDS_H

#include <stdint.h>

#include "device.h"

const char *word_kernel(uint32_t kind);
const char *word_link_state(uint32_t state);
const char *word_reset_reason(uint32_t reason);
const char *word_channel_state(uint32_t state);

/* What a partition says of itself, if it lives and has said it in its present life. */
const char *word_partition_state(const struct ikc_partition *partition);

/* Prints `length` bytes as a JSON string, quotes included; bytes beyond ASCII are escaped as Latin-1. */
void word_print_json(const char *text, uint32_t length);

#endif
