/* SPDX-License-Identifier: Apache-2.0 */
/* Formatted text, without locale, floating point or allocation. */
#include <lwk/printf.h>
#include <lwk/string.h>

struct output {
	char *buffer;
	size_t size;
	size_t length; /* of the whole text, what was cut included */
};

struct conversion {
	bool left;
	bool zero;
	bool alternate;
	int width;
	int precision; /* -1: none */
	int size;      /* bytes of the argument */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_times(struct output *out, char c, int times)
{
	while (times-- > 0)
		put(out, c);
}

static void put_field(struct output *out, const struct conversion *conv, const char *text, int length)
{
	if (!conv->left)
		put_times(out, ' ', conv->width - length);
	for (int i = 0; i < length; i++)
		put(out, text[i]);
	if (conv->left)
		put_times(out, ' ', conv->width - length);
}

static void put_number(struct output *out, const struct conversion *conv, uint64_t value, unsigned int base,
		       const char *prefix, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	char *digit = text + sizeof(text);
	int length, zeroes, prefix_length = strlen(prefix);

	do {
		*--digit = digits[value % base];
		value /= base;
	} while (value);
	length = text + sizeof(text) - digit;

	if (conv->precision >= 0)
		zeroes = conv->precision - length;
	else if (conv->zero && !conv->left)
		zeroes = conv->width - length - prefix_length;
	else
		zeroes = 0;
	zeroes = MAX(zeroes, 0);

	if (!conv->left)
		put_times(out, ' ', conv->width - length - zeroes - prefix_length);
	for (int i = 0; i < prefix_length; i++)
		put(out, prefix[i]);
	put_times(out, '0', zeroes);
	for (int i = 0; i < length; i++)
		put(out, digit[i]);
	if (conv->left)
		put_times(out, ' ', conv->width - length - zeroes - prefix_length);
}

static int parse_number(const char **format)
{
	int value = 0;

	while (**format >= '0' && **format <= '9')
		value = value * 10 + *(*format)++ - '0';
	return value;
}

static void parse_flags(const char **format, struct conversion *conv)
{
	for (;; (*format)++) {
		if (**format == '-')
			conv->left = true;
		else if (**format == '0')
			conv->zero = true;
		else if (**format == '#')
			conv->alternate = true;
		else
			return;
	}
}

static int parse_size(const char **format)
{
	if (**format == 'z') {
		(*format)++;
		return sizeof(size_t);
	}
	if (**format == 'l') {
		while (**format == 'l')
			(*format)++;
		return sizeof(long);
	}
	if (**format == 'h') {
		int size = sizeof(short);

		for ((*format)++; **format == 'h'; (*format)++)
			size = sizeof(char);
		return size;
	}
	return sizeof(int);
}

static uint64_t narrow(uint64_t value, int size)
{
	return size == 8 ? value : value & ((1ull << (size * 8)) - 1);
}

static void put_signed(struct output *out, const struct conversion *conv, int64_t value)
{
	int shift = 64 - conv->size * 8;

	value = (int64_t)((uint64_t)value << shift) >> shift;
	put_number(out, conv, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, value < 0 ? "-" : "", false);
}

static void put_string(struct output *out, const struct conversion *conv, const char *text)
{
	if (!text)
		text = "(null)";
	put_field(out, conv, text, strnlen(text, conv->precision >= 0 ? (size_t)conv->precision : SIZE_MAX));
}

/* The default argument promotions make everything an int or 8 bytes. */
#define INTEGER(conv, arguments) ((conv)->size == 8 ? va_arg(arguments, int64_t) : va_arg(arguments, int))

int vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct output out = { buffer, size, 0 };

	for (; *format; format++) {
		struct conversion conv = { .precision = -1 };
		char c;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format++;
		parse_flags(&format, &conv);
		if (*format == '*') {
			conv.width = va_arg(arguments, int);
			format++;
		} else {
			conv.width = parse_number(&format);
		}
		if (*format == '.') {
			format++;
			if (*format == '*') {
				conv.precision = va_arg(arguments, int);
				format++;
			} else {
				conv.precision = parse_number(&format);
			}
		}
		conv.size = parse_size(&format);

		switch (*format) {
		case 'd':
		case 'i':
			put_signed(&out, &conv, INTEGER(&conv, arguments));
			break;
		case 'u':
			put_number(&out, &conv, narrow(INTEGER(&conv, arguments), conv.size), 10, "", false);
			break;
		case 'x':
		case 'X':
			put_number(&out, &conv, narrow(INTEGER(&conv, arguments), conv.size), 16,
				   conv.alternate ? "0x" : "", *format == 'X');
			break;
		case 'p':
			put_number(&out, &conv, va_arg(arguments, uint64_t), 16, "0x", false);
			break;
		case 's':
			put_string(&out, &conv, va_arg(arguments, const char *));
			break;
		case 'c':
			c = va_arg(arguments, int);
			put_field(&out, &conv, &c, 1);
			break;
		case '%':
			put(&out, '%');
			break;
		default:
			put(&out, '%');
			format--; /* an unknown conversion, or the end: shown as it stands */
		}
	}
	if (size)
		buffer[MIN(out.length, size - 1)] = '\0';
	return out.length;
}

int snprintf(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
