/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of all CPUs or nodes of some kind. */
#include "view_sets.h"

#include <string.h>

#include "cpu_text.h"

enum { CPU_ID = 0, CPU_NODE = 2, CPU_ONLINE = 6 };
enum { NODE_ID = 0, NODE_BYTES = 1 };

/* The numbers in one word of each fact of a kind for which another word is 0, is not, or is anything. */
static const struct set {
	const char *name;
	enum ikc_process_fact kind;
	unsigned int number;
	unsigned int condition;
	enum { ANY, ZERO, OTHER } is;
} sets[] = {
	{ "cpu/possible", IKC_FACT_CPU, CPU_ID, 0, ANY },
	{ "cpu/present", IKC_FACT_CPU, CPU_ID, 0, ANY },
	{ "cpu/online", IKC_FACT_CPU, CPU_ID, CPU_ONLINE, OTHER },
	{ "cpu/offline", IKC_FACT_CPU, CPU_ID, CPU_ONLINE, ZERO },
	{ "node/possible", IKC_FACT_NODE, NODE_ID, 0, ANY },
	{ "node/online", IKC_FACT_NODE, NODE_ID, 0, ANY },
	{ "node/has_cpu", IKC_FACT_CPU, CPU_NODE, 0, ANY },
	{ "node/has_memory", IKC_FACT_NODE, NODE_ID, NODE_BYTES, OTHER },
	{ "node/has_normal_memory", IKC_FACT_NODE, NODE_ID, NODE_BYTES, OTHER },
};

#define SETS (sizeof(sets) / sizeof(sets[0]))

const char *view_sets_name(unsigned int at)
{
	return at < SETS ? sets[at].name : NULL;
}

char *view_sets_text(const struct facts *facts, const char *name, size_t *length)
{
	struct cpu_text_set found = { 0 };
	const struct set *set = sets;
	char *text;

	while (strcmp(set->name, name))
		if (++set == sets + SETS)
			return NULL;
	for_each_fact(words, facts, set->kind)
		if (set->is == ANY || (set->is == ZERO) == !words[set->condition])
			cpu_text_add(&found, words[set->number]);
	text = cpu_text_list(&found);
	*length = text ? strlen(text) : 0;
	return text;
}
