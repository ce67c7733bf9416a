/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and strings. The first four are also called by code that the compiler makes. */
#ifndef LWK_STRING_H
#define LWK_STRING_H

#include <lwk/types.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
const char *strchr(const char *text, char wanted);
const char *strstr(const char *text, const char *wanted);

/* Copies at most size - 1 bytes and always ends with NUL; `size` > 0. */
void string_copy(char *to, const char *from, size_t size);

#endif
