/* SPDX-License-Identifier: Apache-2.0 */
/* The words behind a verb. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static int option_index(const struct option_rule *rules, const char *word)
{
	int i;

	for (i = 0; rules[i].name; i++)
		if (!strcmp(rules[i].name, word))
			return i;
	return -1;
}

static unsigned int options_count_operands(const char *operands)
{
	unsigned int count = *operands != '\0';

	for (; *operands; operands++)
		count += *operands == ' ';
	return count;
}

static void options_check_operands(const struct options *options, const char *operands)
{
	unsigned int wanted = options_count_operands(operands);

	if (options->operand_count == wanted)
		return;
	if (!wanted)
		die(EXIT_USAGE, "%s takes no operands, but was given \"%s\"", options->verb,
		    options->operands[0]);
	die(EXIT_USAGE, "%s takes %s, but was given %u word%s", options->verb, operands,
	    options->operand_count, options->operand_count == 1 ? "" : "s");
}

struct options options_read(char **words, const struct option_rule *rules, const char *operands)
{
	struct options options = { .verb = *words++, .rules = rules };

	for (; *words; words++) {
		int i = option_index(rules, *words);

		if (i < 0 && **words == '-')
			die(EXIT_USAGE, "%s has no option \"%s\"", options.verb, *words);
		if (i < 0) {
			if (options.operand_count == OPERANDS_MAX)
				die(EXIT_USAGE, "%s takes %s: \"%s\" is too much", options.verb,
				    operands, *words);
			options.operands[options.operand_count++] = *words;
			continue;
		}
		if (rules[i].takes_value && !words[1])
			die(EXIT_USAGE, "%s: %s needs a value", options.verb, *words);
		options.values[i] = rules[i].takes_value ? *++words : "";
	}
	options_check_operands(&options, operands);
	return options;
}

uint64_t option_number(const char *what, const char *text, uint64_t least, uint64_t most)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 0);
	if (*text == '-' || !*text || *end || errno || number < least || number > most)
		die(EXIT_USAGE, "%s is \"%s\", but must be a number from %llu to %llu", what, text,
		    (unsigned long long)least, (unsigned long long)most);
	return number;
}

uint32_t option_milliseconds(const char *what, const char *text)
{
	double seconds;
	char *end;

	seconds = strtod(text, &end);
	if (!*text || *end || !(seconds >= 0 && seconds <= 86400))
		die(EXIT_USAGE, "%s is \"%s\", but must be seconds from 0 to 86400, as 0.5", what, text);
	return (uint32_t)(seconds * 1000);
}
