/*
 * strings.c - see strings.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "encode.h"
#include "fmt.h"
#include "strings.h"

#define FIRST_ROOM 256u /* a power of two; the table has twice the slots */

/* Allocate entries and slots for `room` strings and move over what there is;
 * the old ones stay in the arena until it goes. */
static bool set_room(struct strings *t, uint32_t room)
{
	struct string_entry *entries;
	uint32_t *slots;

	entries = arena_alloc(t->arena, room * sizeof(*entries));
	slots = arena_alloc(t->arena, 2 * room * sizeof(*slots));
	if (!entries || !slots)
		return false;
	if (t->count)
		memcpy(entries, t->entries, t->count * sizeof(*entries));
	t->entries = entries;
	t->slots = slots;
	t->room = room;
	t->mask = 2 * room - 1;
	for (uint32_t i = 1; i < t->count; i++) {
		uint32_t at = entries[i].hash & t->mask;

		while (slots[at])
			at = (at + 1) & t->mask;
		slots[at] = i;
	}
	return true;
}

int strings_init(struct strings *t, struct arena *arena)
{
	*t = (struct strings){ .arena = arena };
	if (!set_room(t, FIRST_ROOM))
		return -ENOMEM;
	t->entries[0] = (struct string_entry){ .text = "" };
	t->count = 1;
	return 0;
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none. */
static unsigned utf8_length(const uint8_t *p, size_t left)
{
	unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c;

	if (n == 1)
		return p[0] >= 0x20 && p[0] != 0x7f;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	c = p[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates, beyond the last plane. */
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	return c >= 0xd800 && c < 0xe000 ? 0 : n;
}

/* Replace in place what must not be in a profile. */
static void clean(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned n = utf8_length((uint8_t *)text + i, len - i);

		if (!n)
			text[i] = '?';
		i += n ? n : 1;
	}
}

static bool is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x20 || text[i] == 0x7f)
			return false;
	}
	return true; /* char is signed: plain ASCII was seen */
}

static uint32_t hash_text(const char *text, size_t len)
{
	uint64_t h = len;
	uint64_t word;

	for (; len >= 8; len -= 8, text += 8) {
		memcpy(&word, text, 8);
		h = pp_mix(h ^ word);
	}
	word = 0;
	memcpy(&word, text, len);
	return (uint32_t)pp_mix(h ^ word);
}

static uint32_t insert(struct strings *t, uint32_t at, uint32_t hash,
	const char *text, size_t len)
{
	char *copy = arena_alloc(t->arena, len + 1);

	if (!copy)
		return 0;
	memcpy(copy, text, len);
	t->entries[t->count] = (struct string_entry){
		.text = copy, .hash = hash, .len = (uint32_t)len
	};
	t->slots[at] = t->count;
	return t->count++;
}

static uint32_t add_clean(struct strings *t, const char *text, size_t len)
{
	uint32_t hash = hash_text(text, len);
	uint32_t at, i;

	if (t->count == t->room && !set_room(t, t->room * 2)) {
		t->failed = true;
		return 0;
	}
	for (at = hash & t->mask; (i = t->slots[at]); at = (at + 1) & t->mask) {
		const struct string_entry *e = &t->entries[i];

		if (e->hash == hash && e->len == len &&
			memcmp(e->text, text, len) == 0)
			return i;
	}
	i = insert(t, at, hash, text, len);
	t->failed |= i == 0;
	return i;
}

uint32_t strings_add(struct strings *t, const char *text, size_t len)
{
	char *copy;

	if (len == 0)
		return 0;
	len = PP_MIN(len, (size_t)STRING_MAX_BYTES);
	if (is_clean(text, len))
		return add_clean(t, text, len);
	copy = arena_alloc(t->arena, len);
	if (!copy) {
		t->failed = true;
		return 0;
	}
	memcpy(copy, text, len);
	clean(copy, len);
	return add_clean(t, copy, len);
}

uint32_t strings_add_z(struct strings *t, const char *text)
{
	return strings_add(t, text, str_len(text));
}

uint32_t strings_add_format(struct strings *t, const char *format, ...)
{
	char buf[512];
	va_list ap;
	size_t n;

	va_start(ap, format);
	n = fmt_v(buf, sizeof(buf), format, ap);
	va_end(ap);
	return strings_add(t, buf, PP_MIN(n, sizeof(buf) - 1));
}

int strings_write(const struct strings *t, struct encoder *e)
{
	int err = 0;

	for (uint32_t i = 0; i < t->count && !err; i++)
		err = encode_string(e, t->entries[i].text);
	return err;
}
