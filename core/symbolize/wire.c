/*
 * wire.c - see wire.h.
 */
#include "pp.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define VARINT_MAX 10u

struct wire wire_open(struct slice message)
{
	/* Of nothing the address may be NULL. */
	return (struct wire){ .at = message.data,
		.end = message.len ? message.data + message.len
				   : message.data };
}

static bool bad(struct wire *w)
{
	w->bad = true;
	w->at = w->end;
	return false;
}

bool wire_next_varint(struct wire *w, uint64_t *ret)
{
	uint64_t value = 0;

	if (w->at == w->end)
		return false;
	for (unsigned i = 0; i < VARINT_MAX && w->at < w->end; i++) {
		uint8_t byte = *w->at++;

		/* Of the tenth byte only one bit has room. */
		if (i == VARINT_MAX - 1 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return bad(w);
}

static bool take(struct wire *w, uint64_t len, struct slice *ret)
{
	if (len > (uint64_t)(w->end - w->at))
		return bad(w);
	*ret = (struct slice){ w->at, (size_t)len };
	w->at += len;
	return true;
}

static bool read_value(struct wire *w, struct wire_field *f)
{
	uint64_t len;

	switch (f->type) {
	case WIRE_VARINT:
		return wire_next_varint(w, &f->value) || bad(w);
	case WIRE_FIXED64:
		return take(w, 8, &f->bytes);
	case WIRE_FIXED32:
		return take(w, 4, &f->bytes);
	case WIRE_BYTES:
		if (!wire_next_varint(w, &len))
			return bad(w);
		return take(w, len, &f->bytes);
	default:
		return bad(w);
	}
}

bool wire_next(struct wire *w, struct wire_field *ret)
{
	const uint8_t *start = w->at;
	uint64_t tag;

	if (!wire_next_varint(w, &tag))
		return false;
	*ret = (struct wire_field){ .number = (uint32_t)(tag >> 3),
		.type = tag & 7 };
	if (tag >> 3 == 0 || tag >> 3 >= 1u << 29)
		return bad(w);
	if (!read_value(w, ret))
		return false;
	ret->whole = (struct slice){ start, (size_t)(w->at - start) };
	return true;
}

static bool reserve(struct wire_out *o, size_t more)
{
	size_t room = o->room ? o->room : 256;
	uint8_t *data;

	if (o->failed)
		return false;
	while (room - o->len < more)
		room *= 2;
	if (room == o->room)
		return true;
	data = realloc(o->data, room);
	if (!data) {
		o->failed = true;
		return false;
	}
	o->data = data;
	o->room = room;
	return true;
}

static void put_varint(struct wire_out *o, uint64_t value)
{
	if (!reserve(o, VARINT_MAX))
		return;
	for (; value >= 0x80; value >>= 7)
		o->data[o->len++] = (uint8_t)(value | 0x80);
	o->data[o->len++] = (uint8_t)value;
}

void wire_put_uint(struct wire_out *o, uint32_t number, uint64_t value)
{
	if (!value)
		return; /* the default is not written */
	put_varint(o, (uint64_t)number << 3 | WIRE_VARINT);
	put_varint(o, value);
}

void wire_put_raw(struct wire_out *o, struct slice bytes)
{
	if (!bytes.len || !reserve(o, bytes.len))
		return;
	memcpy(o->data + o->len, bytes.data, bytes.len);
	o->len += bytes.len;
}

void wire_put_head(struct wire_out *o, uint32_t number, size_t len)
{
	put_varint(o, (uint64_t)number << 3 | WIRE_BYTES);
	put_varint(o, len);
}

void wire_put_bytes(struct wire_out *o, uint32_t number, struct slice bytes)
{
	wire_put_head(o, number, bytes.len);
	wire_put_raw(o, bytes);
}

void wire_out_free(struct wire_out *o)
{
	free(o->data);
	*o = (struct wire_out){ 0 };
}
