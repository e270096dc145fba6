/*
 * wire.h - the protobuf encoding: fields in and out, nothing about profiles.
 *
 * The reader trusts nothing: a varint or a length that does not fit marks the
 * whole message bad. Context: PP_NORMAL; no state besides the arguments.
 */
#ifndef WIRE_H
#define WIRE_H

#include "pp.h"

/* Bytes that belong to somebody else. */
struct slice {
	const uint8_t *data;
	size_t len;
};

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_FIXED64 = 1,
	WIRE_BYTES = 2,
	WIRE_FIXED32 = 5,
};

struct wire_field {
	uint32_t number;
	uint8_t type;
	uint64_t value;	    /* of a varint */
	struct slice bytes; /* of WIRE_BYTES */
	struct slice whole; /* with its tag, as it stands in the message */
};

struct wire {
	const uint8_t *at, *end;
	bool bad;
};

struct wire wire_open(struct slice message);
/* The next field; false at the end, or when the rest cannot be read: bad. */
bool wire_next(struct wire *w, struct wire_field *ret);
/* A varint of a packed list; false as above. */
bool wire_next_varint(struct wire *w, uint64_t *ret);

/* A message being built. Once out of memory it stays `failed`. */
struct wire_out {
	uint8_t *data;
	size_t len, room;
	bool failed;
};

void wire_put_uint(struct wire_out *o, uint32_t number, uint64_t value);
void wire_put_bytes(struct wire_out *o, uint32_t number, struct slice bytes);
void wire_put_raw(struct wire_out *o, struct slice bytes);
/* Tag and length only: the caller puts `len` bytes behind it. */
void wire_put_head(struct wire_out *o, uint32_t number, size_t len);
void wire_out_free(struct wire_out *o);

#endif
