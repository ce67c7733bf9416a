/* SPDX-License-Identifier: Apache-2.0 */
/* ikcctl log: a partition's kernel log, out of shared memory. */
#include "ikc_log.h"

#include <stdio.h>

#include "device.h"
#include "options.h"
#include "verbs.h"

int verb_log(char **words)
{
	static const struct option_rule rules[] = { { 0 } };
	struct options options = options_read(words, rules, "PEER");
	struct device device = device_open();
	uint32_t index = device_find(&device, options.operands[0]);
	const struct ikc_log *log = &device_partition(&device, index)->log;
	static char text[IKC_LOG_SIZE];
	uint64_t at = 0, lost;
	uint32_t length = ikc_log_read(log, &at, text, sizeof(text), &lost);

	if (lost)
		fprintf(stderr, "ikcctl: %llu older bytes are gone\n", (unsigned long long)lost);
	fwrite(text, 1, length, stdout);
	return 0;
}
