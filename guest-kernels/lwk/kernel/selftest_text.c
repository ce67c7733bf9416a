/* SPDX-License-Identifier: Apache-2.0 */
/* Self-test of strings, formatted text and symbols. */
#include <lwk/printf.h>
#include <lwk/selftest.h>
#include <lwk/string.h>
#include <lwk/symbols.h>

#define EXPECT_TEXT(wanted, ...)                                                                   \
	do {                                                                                       \
		char got[64];                                                                      \
		int length = snprintf(got, sizeof(got), __VA_ARGS__);                              \
		if (strcmp(got, wanted) || length != (int)strlen(wanted))                          \
			return selftest_failed("snprintf made \"%s\" (%d), want \"%s\"", got,      \
					       length, wanted);                                    \
	} while (0)

static const char *test_printf(void)
{
	char small[4];

	EXPECT_TEXT("plain 100%", "plain 100%%");
	EXPECT_TEXT("-5|    5|5    |00005|-0005", "%d|%5d|%-5d|%05d|%05d", -5, 5, 5, 5, -5);
	EXPECT_TEXT("-2147483648 4294967295", "%d %u", INT32_MIN, UINT32_MAX);
	EXPECT_TEXT("-9223372036854775808", "%ld", INT64_MIN);
	EXPECT_TEXT("18446744073709551615", "%lu", UINT64_MAX);
	EXPECT_TEXT("ff FF 0xff 00ff 0x0f", "%x %X %#x %04x %#04x", 255, 255, 255, 255, 15);
	EXPECT_TEXT("ff ffff -1 7", "%hhx %hx %hhd %zu", 0xfff, 0xfffff, 0xff, sizeof(int) + 3);
	EXPECT_TEXT("0x1234 0x0", "%p %p", (void *)0x1234, NULL);
	EXPECT_TEXT("a|  ab|ab  |abc|  x", "%c|%4s|%-4s|%.3s|%*s", 'a', "ab", "ab", "abcdef", 3,
		    "x");
	EXPECT_TEXT("0.012 -   007", "%d.%.3d -%6.3d", 0, 12, 7);

	SELFTEST_EXPECT(snprintf(small, sizeof(small), "%d", 123456) == 6);
	SELFTEST_EXPECT(!strcmp(small, "123"));
	SELFTEST_EXPECT(snprintf(NULL, 0, "%s", "four") == 4);
	return NULL;
}

static const char *test_string(void)
{
	char text[32] = "0123456789";

	SELFTEST_EXPECT(!strcmp(memmove(text + 2, text, 6), "01234589"));
	SELFTEST_EXPECT(!memcmp(text, "0101234589", 10));
	SELFTEST_EXPECT(!strcmp(memmove(text, text + 2, 9), "01234589"));
	memset(text, 'x', 13);
	SELFTEST_EXPECT(text[12] == 'x' && text[13] == 0);
	SELFTEST_EXPECT(memcmp("a\xff", "a\x01", 2) > 0 && memcmp("ab", "ac", 2) < 0);
	SELFTEST_EXPECT(strncmp("abc", "abd", 2) == 0 && strcmp("ab", "abc") < 0);
	SELFTEST_EXPECT(strstr("one two", "two") && !strstr("one two", "three") && strstr("", ""));
	string_copy(text, "much too long for it", 5);
	SELFTEST_EXPECT(!strcmp(text, "much"));
	return NULL;
}

static const char *test_symbols(void)
{
	uint64_t offset;
	const char *name = symbol_lookup((uint64_t)test_string, &offset);

	SELFTEST_EXPECT(name && !strcmp(name, "test_string") && offset == 0);
	name = symbol_lookup((uint64_t)test_string + 1, &offset);
	SELFTEST_EXPECT(name && !strcmp(name, "test_string") && offset == 1);
	SELFTEST_EXPECT(!symbol_lookup(0x1000, &offset));
	return NULL;
}

const char *selftest_text(void)
{
	const char *why = test_printf();

	if (!why)
		why = test_string();
	if (!why)
		why = test_symbols();
	return why;
}
