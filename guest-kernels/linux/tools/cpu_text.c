/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs or nodes as text. */
#include "cpu_text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void cpu_text_add(struct cpu_text_set *set, uint64_t number)
{
	if (number < CPU_TEXT_MAX)
		set->words[number / 64] |= 1ull << number % 64;
}

static bool has(const struct cpu_text_set *set, unsigned int number)
{
	return number < CPU_TEXT_MAX && set->words[number / 64] >> number % 64 & 1;
}

char *cpu_text_list(const struct cpu_text_set *set)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	const char *separator = "";
	unsigned int first, last;

	if (!out)
		return NULL;
	for (first = 0; first < CPU_TEXT_MAX; first = last + 1) {
		last = first;
		if (!has(set, first))
			continue;
		while (has(set, last + 1))
			last++;
		fprintf(out, last > first ? "%s%u-%u" : "%s%u", separator, first, last);
		separator = ",";
	}
	fputc('\n', out);
	return fclose(out) ? NULL : text;
}

char *cpu_text_mask(const struct cpu_text_set *set, unsigned int count)
{
	unsigned int group = (count + 31) / 32, digits = (count + 3) / 4 % 8 ?: 8;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	for (; group-- > 0; digits = 8)
		fprintf(out, "%0*x%s", digits, (uint32_t)(set->words[group / 2] >> 32 * (group % 2)), group ? "," : "\n");
	return fclose(out) ? NULL : text;
}
