/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of the region as words. */
#include "words.h"

#include <stdio.h>

#define WORD_OF(words, number) \
	((number) < sizeof(words) / sizeof((words)[0]) && (words)[number] ? (words)[number] : "?")

const char *word_kernel(uint32_t kind)
{
	static const char *const words[] = {
		[IKC_KERNEL_LINUX] = "linux",
		[IKC_KERNEL_LWK] = "lwk",
		[IKC_KERNEL_CUSTOM] = "custom",
	};

	return WORD_OF(words, kind);
}

const char *word_link_state(uint32_t state)
{
	static const char *const words[] = { "RESET", "INIT", "READY", "RUN" };

	return WORD_OF(words, state);
}

const char *word_channel_state(uint32_t state)
{
	static const char *const words[] = {
		[IKC_CHANNEL_FREE] = "FREE",
		[IKC_CHANNEL_OPENING] = "OPENING",
		[IKC_CHANNEL_OPEN] = "OPEN",
		[IKC_CHANNEL_REFUSED] = "REFUSED",
		[IKC_CHANNEL_CLOSED] = "CLOSED",
	};

	return WORD_OF(words, state);
}

const char *word_reset_reason(uint32_t reason)
{
	static const char *const words[] = {
		[IKC_RESET_NONE] = "none",
		[IKC_RESET_BOOT] = "boot",
		[IKC_RESET_PEER_DEAD] = "peer dead",
		[IKC_RESET_PEER_RESET] = "peer reset",
		[IKC_RESET_BAD_STATE] = "bad state",
		[IKC_RESET_BAD_TAIL] = "bad tail",
		[IKC_RESET_BAD_LENGTH] = "bad length",
		[IKC_RESET_LOCAL] = "local",
		[IKC_RESET_BAD_CHANNEL] = "bad channel",
	};

	return WORD_OF(words, reason);
}

const char *word_partition_state(const struct ikc_partition *partition)
{
	static const char *const words[] = {
		[IKC_PARTITION_NONE] = "BOOTING",
		[IKC_PARTITION_BOOTING] = "BOOTING",
		[IKC_PARTITION_READY] = "READY",
		[IKC_PARTITION_PANICKED] = "PANICKED",
		[IKC_PARTITION_STOPPING] = "STOPPING",
		[IKC_PARTITION_RESTARTING] = "RESTARTING",
	};
	uint32_t state = ikc_load_acquire(&partition->status.state);

	if (!ikc_load(&partition->mailbox.alive))
		return "EXITED";
	if (ikc_load(&partition->status.incarnation) != ikc_load(&partition->mailbox.incarnation))
		return "BOOTING";
	return WORD_OF(words, state);
}

void word_print_json(const char *text, uint32_t length)
{
	uint32_t i;

	putchar('"');
	for (i = 0; i < length; i++) {
		unsigned char c = text[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c == '\n')
			fputs("\\n", stdout);
		else if (c < ' ' || c > '~')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}
