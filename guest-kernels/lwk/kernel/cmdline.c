/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line. */
#include <lwk/cmdline.h>
#include <lwk/log.h>
#include <lwk/string.h>

static char line[2048];

void cmdline_init(const char *text)
{
	string_copy(line, text, sizeof(line));
}

const char *cmdline_text(void)
{
	return line;
}

/* The last word that is `key` or starts with `key=`; `*length` is that of the word. */
static const char *find_word(const char *key, size_t *length)
{
	size_t key_length = strlen(key);
	const char *found = NULL;

	for (const char *word = line; *word; ) {
		const char *space = strchr(word, ' ');
		size_t word_length = space ? (size_t)(space - word) : strlen(word);

		if (word_length >= key_length && !strncmp(word, key, key_length) &&
		    (word_length == key_length || word[key_length] == '=')) {
			found = word;
			*length = word_length;
		}
		word += word_length;
		while (*word == ' ')
			word++;
	}
	return found;
}

bool cmdline_string(const char *key, char *value, size_t size)
{
	size_t length, key_length = strlen(key);
	const char *word = find_word(key, &length);

	if (!word || length == key_length)
		return false;
	length = MIN(length - key_length - 1, size - 1);
	memcpy(value, word + key_length + 1, length);
	value[length] = '\0';
	return true;
}

bool cmdline_parse_number(const char *text, uint64_t *number)
{
	unsigned int base = 10;

	if (!strncmp(text, "0x", 2)) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (*number = 0; *text; text++) {
		unsigned int digit = *text >= 'a' ? *text - 'a' + 10 : *text - '0';

		if (digit >= base)
			return false;
		*number = *number * base + digit;
	}
	return true;
}

uint64_t cmdline_number(const char *key, uint64_t otherwise)
{
	char value[24];
	uint64_t number;

	if (!cmdline_string(key, value, sizeof(value)))
		return otherwise;
	if (cmdline_parse_number(value, &number))
		return number;
	log_warn("%s=%s on the command line: not a number, using %lu", key, value,
		 otherwise);
	return otherwise;
}

bool cmdline_flag(const char *key)
{
	size_t length;

	return find_word(key, &length) && (length == strlen(key) || cmdline_number(key, 0) == 1);
}
