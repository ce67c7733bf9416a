/* SPDX-License-Identifier: Apache-2.0 */
/* Names of code addresses. tools/symbols.sh makes the table. */
#include <arch/boot.h>
#include <lwk/memory_map.h>
#include <lwk/printf.h>
#include <lwk/symbols.h>

struct symbol {
	uint32_t start; /* above KERNEL_OFFSET */
	uint32_t name;  /* offset behind the last entry */
};

struct symbol_table {
	uint32_t count;
	struct symbol symbols[];
};

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
	const struct symbol_table *table = (const void *)symbols_start;
	const char *names = (const char *)&table->symbols[table->count];
	uint32_t low = 0, high = table->count;

	if (address < (uint64_t)text_start || address >= (uint64_t)text_end)
		return NULL;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (KERNEL_OFFSET + table->symbols[middle].start <= address)
			low = middle;
		else
			high = middle;
	}
	*offset = address - KERNEL_OFFSET - table->symbols[low].start;
	return names + table->symbols[low].name;
}

const char *symbol_format(char *buffer, size_t size, uint64_t address)
{
	uint64_t offset;
	const char *name = symbol_lookup(address, &offset);

	if (name)
		snprintf(buffer, size, "%s+0x%lx", name, offset);
	else
		snprintf(buffer, size, "?");
	return buffer;
}
