/*
 * cfi_read.h - a cursor over unwind tables that cannot leave its bounds.
 *
 * A read past the end returns 0 and sets `bad`; callers test once, at the end.
 * Context: PP_ANY.
 */
#ifndef CFI_READ_H
#define CFI_READ_H

#include "pp.h"

struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}

static inline bool cursor_done(const struct cursor *c)
{
	return c->bad || c->p >= c->end;
}

static inline void cursor_skip(struct cursor *c, uint64_t n)
{
	if (n > cursor_left(c)) {
		c->bad = true;
		c->p = c->end;
	} else {
		c->p += n;
	}
}

/* An unsigned number of 1, 2, 4 or 8 bytes. */
static inline uint64_t cursor_fixed(struct cursor *c, unsigned bytes)
{
	const uint8_t *at = c->p;
	uint64_t v = 0;

	cursor_skip(c, bytes);
	if (c->bad)
		return 0;
	__builtin_memcpy(&v, at, bytes);
	return v;
}

static inline int64_t cursor_signed(struct cursor *c, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (int64_t)(cursor_fixed(c, bytes) << shift) >> shift;
}

/* LEB128 of either sign: its bits, and how many they are (64 or more: all). The
 * last one is *ret_negative. */
static inline uint64_t cursor_leb(
	struct cursor *c, unsigned *ret_bits, bool *ret_negative)
{
	uint64_t v = 0;
	unsigned bits = 0;
	uint8_t byte;

	do {
		byte = (uint8_t)cursor_fixed(c, 1);
		if (bits < 64)
			v |= (uint64_t)(byte & 0x7f) << bits;
		bits += 7;
	} while (byte & 0x80);
	*ret_bits = bits;
	*ret_negative = byte & 0x40;
	return v;
}

static inline uint64_t cursor_uleb(struct cursor *c)
{
	unsigned bits;
	bool negative;

	return cursor_leb(c, &bits, &negative);
}

static inline int64_t cursor_sleb(struct cursor *c)
{
	unsigned bits;
	bool negative;
	uint64_t v = cursor_leb(c, &bits, &negative);

	if (negative && bits < 64)
		v |= ~UINT64_C(0) << bits;
	return (int64_t)v;
}

/* Pointer encodings (LSB, Exception Frames: DW_EH_PE_*). */
enum {
	PE_ABSPTR = 0x00,
	PE_ULEB128 = 0x01,
	PE_UDATA2 = 0x02,
	PE_UDATA4 = 0x03,
	PE_UDATA8 = 0x04,
	PE_SLEB128 = 0x09,
	PE_SDATA2 = 0x0a,
	PE_SDATA4 = 0x0b,
	PE_SDATA8 = 0x0c,
	PE_FORMAT = 0x0f,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_BASE = 0x70,
	PE_INDIRECT = 0x80,
	PE_OMIT = 0xff,
};

/* A pointer in encoding `enc`; data_base is what DATAREL counts from. Bases
 * that no object of this platform uses set `bad`. */
static inline uint64_t cursor_pointer(
	struct cursor *c, uint8_t enc, uint64_t data_base)
{
	uint64_t base = 0, v;

	switch (enc & PE_BASE) {
	case 0:
		break;
	case PE_PCREL:
		base = (uint64_t)(uintptr_t)c->p;
		break;
	case PE_DATAREL:
		base = data_base;
		break;
	default:
		c->bad = true;
	}
	switch (enc & PE_FORMAT) {
	case PE_ABSPTR:
	case PE_UDATA8:
	case PE_SDATA8:
		v = cursor_fixed(c, 8);
		break;
	case PE_ULEB128:
		v = cursor_uleb(c);
		break;
	case PE_SLEB128:
		v = (uint64_t)cursor_sleb(c);
		break;
	case PE_UDATA2:
		v = cursor_fixed(c, 2);
		break;
	case PE_SDATA2:
		v = (uint64_t)cursor_signed(c, 2);
		break;
	case PE_UDATA4:
		v = cursor_fixed(c, 4);
		break;
	case PE_SDATA4:
		v = (uint64_t)cursor_signed(c, 4);
		break;
	default:
		c->bad = true;
		v = 0;
	}
	return base + v;
}

#endif
