/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's file in the memory of its process on an LWK. First all memory is asked for, then it is taken and filled, and
 * then protected: who asks for all before he takes the first answer waits once.
 */
#ifndef LOADED_H
#define LOADED_H

#include <stdbool.h>
#include <stdint.h>

#include "program.h"

/* `image`: what will be there, and will not be written to; NULL: something else. */
void memory_ask(const struct proxy *proxy, uint64_t start, uint64_t size, const uint64_t image[2]);

/* Returns whether it holds the image already. Exits if there is no memory for it. */
bool memory_take(const struct proxy *proxy, uint64_t size, const char *what);

/* A file in memory: first what nobody writes to, which is an image, then the rest. */
struct loaded {
	const struct program_file *file;
	const char *name;
	uint64_t base; /* what is to be added to the file's addresses */
	uint64_t image_end; /* in the file's addresses */
	bool image_is_there;
};

/* Where it will be: at `start`, if it can be anywhere. */
struct loaded loaded_place(const struct program_file *file, const char *name, uint64_t start);

void loaded_ask(const struct proxy *proxy, const struct loaded *loaded);
void loaded_take(const struct proxy *proxy, struct loaded *loaded);

/* Puts in what is not there yet, and closes the file. What is written to later is put in always. */
void loaded_fill(const struct loaded *loaded);

/* This process may have mapped what is to be protected. */
bool loaded_is_touched(const struct loaded *loaded);

/* What no segment has, between them, is nobody's to touch. Returns how many answers are to be taken. */
unsigned int loaded_protect(const struct proxy *proxy, const struct loaded *loaded);
void loaded_take_protection(const struct proxy *proxy, unsigned int answers);

#endif
