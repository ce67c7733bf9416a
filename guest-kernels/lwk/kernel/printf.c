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

static void put_field(struct output *out, const struct conversion *conv, const char *text,
		      int length)
{
	if (!conv->left)
		put_times(out, ' ', conv->width - length);
	for (int i = 0; i < length; i++)
		put(out, text[i]);
	if (conv->left)
		put_times(out, ' ', conv->width - length);
}

static void put_number(struct output *out, const struct conversion *conv, uint64_t value,
		       unsigned int base, const char *prefix, bool upper)
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
	put_number(out, conv, value < 0 ? -(uint64_t)value : (uint64_t)value, 10,
		   value < 0 ? "-" : "", false);
}

static void put_string(struct output *out, const struct conversion *conv, const char *text)
{
	if (!text)
		text = "(null)";
	put_field(out, conv, text,
		  strnlen(text, conv->precision >= 0 ? (size_t)conv->precision : SIZE_MAX));
}

static int parse_width(const char **format, va_list *arguments)
{
	if (**format != '*')
		return parse_number(format);
	(*format)++;
	return va_arg(*arguments, int);
}

/* From behind the '%' up to the letter that says what to print. */
static struct conversion parse_conversion(const char **format, va_list *arguments)
{
	struct conversion conv = { .precision = -1 };

	parse_flags(format, &conv);
	conv.width = parse_width(format, arguments);
	if (**format == '.') {
		(*format)++;
		conv.precision = parse_width(format, arguments);
	}
	conv.size = parse_size(format);
	return conv;
}

/* The default argument promotions make everything an int or 8 bytes. */
static int64_t next_integer(const struct conversion *conv, va_list *arguments)
{
	return conv->size == 8 ? va_arg(*arguments, int64_t) : va_arg(*arguments, int);
}

/* False for a letter that is none of ours. */
static bool put_conversion(struct output *out, const struct conversion *conv, char letter,
			   va_list *arguments)
{
	char c;

	switch (letter) {
	case 'd':
	case 'i':
		put_signed(out, conv, next_integer(conv, arguments));
		return true;
	case 'u':
		put_number(out, conv, narrow(next_integer(conv, arguments), conv->size), 10, "",
			   false);
		return true;
	case 'x':
	case 'X':
		put_number(out, conv, narrow(next_integer(conv, arguments), conv->size), 16,
			   conv->alternate ? "0x" : "", letter == 'X');
		return true;
	case 'p':
		put_number(out, conv, va_arg(*arguments, uint64_t), 16, "0x", false);
		return true;
	case 's':
		put_string(out, conv, va_arg(*arguments, const char *));
		return true;
	case 'c':
		c = va_arg(*arguments, int);
		put_field(out, conv, &c, 1);
		return true;
	default:
		return false;
	}
}

int vsnprintf(char *buffer, size_t size, const char *format, va_list original)
{
	struct output out = { buffer, size, 0 };
	va_list arguments;

	/* as a parameter, a va_list is a pointer, and has an address of another type */
	va_copy(arguments, original);
	for (; *format; format++) {
		struct conversion conv;

		if (*format != '%') {
			put(&out, *format);
			continue;
		}
		format++;
		conv = parse_conversion(&format, &arguments);
		if (put_conversion(&out, &conv, *format, &arguments))
			continue;
		put(&out, '%');
		if (*format != '%')
			format--; /* an unknown letter, or the end: shown as it stands */
	}
	va_end(arguments);
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
