/*
 * fmt.c - the formatter of fmt.h. Context: PP_ANY.
 */
#include "pp.h"

#include "fmt.h"

struct out {
	char *buf;
	size_t size, len;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_number(struct out *o, uint64_t v, unsigned base, bool negative,
	unsigned width, char pad)
{
	char digits[24];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative && pad == '0')
		put(o, '-');
	for (unsigned used = n + negative; used < width; used++)
		put(o, pad);
	if (negative && pad != '0')
		put(o, '-');
	while (n)
		put(o, digits[--n]);
}

static void put_string(struct out *o, const char *s, unsigned width)
{
	if (!s)
		s = "(null)";
	for (size_t n = str_len(s); n < width; n++)
		put(o, ' ');
	while (*s)
		put(o, *s++);
}

/* The integer argument of a conversion with `longs` l's (z counts as one). */
static uint64_t integer(
	va_list *ap, unsigned longs, bool is_signed, bool *ret_negative)
{
	*ret_negative = false;
	if (is_signed) {
		int64_t v = longs ? va_arg(*ap, long) : va_arg(*ap, int);

		*ret_negative = v < 0;
		return v < 0 ? -(uint64_t)v : (uint64_t)v;
	}
	return longs ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int);
}

static const char *convert(struct out *o, const char *f, va_list *ap)
{
	unsigned width = 0, longs = 0;
	bool negative;
	uint64_t v;
	char pad = ' ';

	if (*f == '0')
		pad = *f++;
	while (*f >= '0' && *f <= '9')
		width = width * 10 + (unsigned)(*f++ - '0');
	while (*f == 'l' || *f == 'z') {
		longs++;
		f++;
	}
	switch (*f) {
	case 'd':
		v = integer(ap, longs, true, &negative);
		put_number(o, v, 10, negative, width, pad);
		break;
	case 'u':
		v = integer(ap, longs, false, &negative);
		put_number(o, v, 10, false, width, pad);
		break;
	case 'x':
		v = integer(ap, longs, false, &negative);
		put_number(o, v, 16, false, width, pad);
		break;
	case 'p':
		put_string(o, "0x", 0);
		put_number(
			o, (uintptr_t)va_arg(*ap, void *), 16, false, 0, pad);
		break;
	case 's':
		put_string(o, va_arg(*ap, const char *), width);
		break;
	case 'c':
		put(o, (char)va_arg(*ap, int));
		break;
	case '\0':
		return f;
	default:
		put(o, *f);
	}
	return f + 1;
}

size_t fmt_v(char *buf, size_t size, const char *format, va_list ap)
{
	struct out o = { buf, size, 0 };
	va_list args;

	va_copy(args, ap);
	while (*format) {
		if (*format == '%')
			format = convert(&o, format + 1, &args);
		else
			put(&o, *format++);
	}
	va_end(args);
	if (size)
		buf[PP_MIN(o.len, size - 1)] = '\0';
	return o.len;
}

size_t fmt(char *buf, size_t size, const char *format, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, format);
	n = fmt_v(buf, size, format, ap);
	va_end(ap);
	return n;
}

size_t str_len(const char *s)
{
	return __builtin_strlen(s);
}

bool str_eq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool str_copy(char *to, size_t size, const char *from)
{
	size_t n = str_len(from);
	size_t copied = PP_MIN(n, size - 1);

	__builtin_memcpy(to, from, copied);
	to[copied] = '\0';
	return copied == n;
}
