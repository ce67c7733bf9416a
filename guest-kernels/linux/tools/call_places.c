/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls are made elsewhere than ikc_syscalls.def has them. */
#include "call_places.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

enum place { NOWHERE, LOCAL, EITHER, OFFLOAD, REFUSE };
enum said { AS_IT_IS, SAID_LOCAL, SAID_OFFLOADED };

static const struct {
	const char *name;
	enum place place;
} calls[] = {
#define IKC_SYSCALL(number, name, place, arguments) [number] = { #name, place },
#include "ikc_syscalls.def"
#undef IKC_SYSCALL
};

#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

_Static_assert(CALL_COUNT <= CALL_PLACES_MAX, "there is room for each");

static bool is_called(size_t number, const char *word, size_t length)
{
	const char *name = calls[number].name;

	return name && strlen(name) == length && !memcmp(name, word, length);
}

/* CALL_COUNT: there is none. */
static size_t find(const char *word, size_t length)
{
	size_t number;
	char *end;

	if (isdigit((unsigned char)*word)) {
		number = strtoul(word, &end, 10);
		return end == word + length && number < CALL_COUNT && calls[number].name ? number : CALL_COUNT;
	}
	for (number = 0; number < CALL_COUNT; number++)
		if (is_called(number, word, length))
			break;
	return number;
}

static void check(const char *option, size_t number, bool offloaded)
{
	const char *name = calls[number].name;
	enum place place = calls[number].place;

	if (place == REFUSE)
		die(EXIT_USAGE, "%s: nobody makes %s for a program on an LWK", option, name);
	if (place == LOCAL && offloaded)
		die(EXIT_USAGE, "%s: a proxy cannot make %s: it is about what the LWK has", option, name);
	if (place == OFFLOAD && !offloaded)
		die(EXIT_USAGE, "%s: an LWK cannot make %s: it is about what Linux has", option, name);
}

void call_places_read(struct call_places *places, const char *option, const char *list, bool offloaded)
{
	const char *word = list;

	for (;;) {
		size_t length = strcspn(word, ","), number = find(word, length);

		if (number == CALL_COUNT)
			die(EXIT_USAGE, "%s: there is no system call \"%.*s\": want names or numbers, as getpid,96",
			    option, (int)length, word);
		check(option, number, offloaded);
		places->said[number] = offloaded ? SAID_OFFLOADED : SAID_LOCAL;
		if (!word[length])
			return;
		word += length + 1;
	}
}

static bool is_said(const struct call_places *places, size_t number)
{
	return calls[number].place == EITHER && places->said[number] != AS_IT_IS;
}

void call_places_ask(const struct call_places *places, const struct proxy *proxy)
{
	size_t number;

	for (number = 0; number < CALL_COUNT; number++)
		if (is_said(places, number))
			proxy_ask(proxy, &(struct ikc_process_message) {
				.kind = IKC_PROCESS_PLACE,
				.number = number,
				.words = { places->said[number] == SAID_OFFLOADED },
			});
}

void call_places_take(const struct call_places *places, const struct proxy *proxy)
{
	struct ikc_process_message answer;
	size_t number;

	for (number = 0; number < CALL_COUNT; number++) {
		int64_t result;

		if (!is_said(places, number))
			continue;
		result = proxy_take_answer(proxy, &answer);
		if (result)
			die(EXIT_FAILED, "%s lets nobody say where %s is made: %s", proxy->partition,
			    calls[number].name, strerror(-result));
	}
}
