/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets need: libFuzzer's bytes as a script of moves of the peer and of the kernel
 * under test. Where the script ends every number is 0.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at, *end;
};

static inline uint64_t script_number(struct script *script, size_t size)
{
	uint64_t number = 0;
	size_t left = (size_t)(script->end - script->at);
	size_t taken = size < left ? size : left;

	memcpy(&number, script->at, taken);
	script->at += taken;
	return number;
}

static inline uint32_t script_choice(struct script *script, uint32_t bound)
{
	return (uint32_t)script_number(script, bound <= 256 ? 1 : 4) % bound;
}

/* Any naturally aligned word of `size` bytes at `base`, of 1, 2, 4 or 8 bytes, gets any value. */
static inline void script_scribbles(struct script *script, void *base, uint32_t size)
{
	uint32_t width = 1u << script_choice(script, 4);
	uint32_t at = script_choice(script, size / width) * width;
	uint64_t value = script_number(script, width);

	memcpy((uint8_t *)base + at, &value, width);
}

#endif
