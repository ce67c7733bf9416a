/* SPDX-License-Identifier: Apache-2.0 */
/* The words behind a verb: operands in order, options anywhere. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPERANDS_MAX 4

struct option_rule {
	const char *name;  /* "--count" */
	bool takes_value;
};

struct options {
	const char *verb;
	const char *operands[OPERANDS_MAX];
	unsigned int operand_count;
	const struct option_rule *rules;
	const char *values[8]; /* by rule; "" if given and without value, NULL if not given */
};

/*
 * Sorts the words. Exits with EXIT_USAGE at an unknown option, a missing value, or another number of
 * operands than `operands` names ("PEER PORT").
 */
struct options options_read(char **words, const struct option_rule *rules, const char *operands);

/* A number between `least` and `most` in decimal or 0x hexadecimal; exits with EXIT_USAGE if it is none. */
uint64_t option_number(const char *what, const char *text, uint64_t least, uint64_t most);

/* Seconds, with a fraction, as milliseconds. */
uint32_t option_milliseconds(const char *what, const char *text);

#endif
