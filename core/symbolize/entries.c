/*
 * entries.c - see entries.h.
 *
 * Nothing in a unit is trusted: each step stays in its bytes or fails.
 */
#include "pp.h"

#include <dwarf.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"
#include "list.h"

#define CODE_MAX 65536u /* abbreviations of one unit */
#define ATTRIBUTES_MAX 256u
#define NEST_MAX 512u

/* How to get over an attribute: `bytes`, or by what stands there. */
enum skip_kind {
	SKIP_BYTES,
	SKIP_LEB,
	SKIP_STRING,
	SKIP_BLOCK1,
	SKIP_BLOCK2,
	SKIP_BLOCK4,
	SKIP_BLOCK,
	SKIP_INDIRECT,
	SKIP_UNKNOWN,
};

struct entries_skip {
	uint32_t kind, bytes;
};

static struct entries_skip bytes(uint32_t n)
{
	return (struct entries_skip){ SKIP_BYTES, n };
}

static struct entries_skip kind(enum skip_kind k)
{
	return (struct entries_skip){ k, 0 };
}

/* The size of a value of this form; -1 if it says itself. */
static int fixed_bytes(const struct entries *e, unsigned form)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_ref_sup4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return e->address_size;
	case DW_FORM_ref_addr:
		return e->version < 3 ? e->address_size : e->offset_size;
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_sec_offset:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return e->offset_size;
	default:
		return -1;
	}
}

static struct entries_skip skip_of(const struct entries *e, unsigned form)
{
	int fixed = fixed_bytes(e, form);

	if (fixed >= 0)
		return bytes((uint32_t)fixed);
	switch (form) {
	case DW_FORM_sdata:
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		return kind(SKIP_LEB);
	case DW_FORM_string:
		return kind(SKIP_STRING);
	case DW_FORM_block1:
		return kind(SKIP_BLOCK1);
	case DW_FORM_block2:
		return kind(SKIP_BLOCK2);
	case DW_FORM_block4:
		return kind(SKIP_BLOCK4);
	case DW_FORM_block:
	case DW_FORM_exprloc:
		return kind(SKIP_BLOCK);
	case DW_FORM_indirect:
		return kind(SKIP_INDIRECT);
	default:
		return kind(SKIP_UNKNOWN);
	}
}

/* --- abbreviations -------------------------------------------------------- */

static void note_value(struct entries_abbrev *a, unsigned name, unsigned form,
	bool fixed, uint32_t at)
{
	struct entries_value v = { fixed ? form : 0, at };

	if (name == DW_AT_sibling)
		a->sibling = v;
	if (name == DW_AT_low_pc)
		a->low_pc = v;
	if (name == DW_AT_high_pc)
		a->high_pc = v;
	a->has_pc |= name == DW_AT_low_pc || name == DW_AT_ranges;
}

/* Sizes that follow each other are one. */
static bool add_skip(
	struct entries *e, struct entries_abbrev *a, struct entries_skip skip)
{
	struct entries_skip *last =
		a->skip_count ? &e->skips[a->skip_from + a->skip_count - 1]
			      : NULL;

	if (skip.kind == SKIP_BYTES && last && last->kind == SKIP_BYTES) {
		last->bytes += skip.bytes;
		return true;
	}
	if (!LIST_ADD(e->skips, e->skip_count, e->skip_room))
		return false;
	e->skips[e->skip_count - 1] = skip;
	a->skip_count++;
	return true;
}

static bool read_abbrev(
	struct entries *e, Dwarf_Abbrev *from, struct entries_abbrev *a)
{
	bool fixed = true;
	uint32_t at = 0;

	*a = (struct entries_abbrev){ .tag = (uint16_t)dwarf_getabbrevtag(from),
		.children = dwarf_abbrevhaschildren(from),
		.skip_from = (uint32_t)e->skip_count };
	/* dwarf_getattrcnt() of elfutils 0.188 miscounts implicit_const. */
	for (size_t i = 0; i < ATTRIBUTES_MAX; i++) {
		unsigned name = 0, form = 0;
		struct entries_skip skip;

		if (dwarf_getabbrevattr(from, i, &name, &form, NULL) != 0)
			return true;
		note_value(a, name, form, fixed, at);
		skip = skip_of(e, form);
		fixed &= skip.kind == SKIP_BYTES;
		at += skip.bytes;
		if (!add_skip(e, a, skip))
			return false;
	}
	return false;
}

static struct entries_abbrev *new_abbrev(struct entries *e, unsigned code)
{
	if (code >= CODE_MAX)
		return NULL;
	while (e->abbrev_count <= code) {
		struct entries_abbrev *a = LIST_ADD(
			e->abbrevs, e->abbrev_count, e->abbrev_room);

		if (!a)
			return NULL;
		*a = (struct entries_abbrev){ 0 };
	}
	return &e->abbrevs[code];
}

static bool read_abbrevs(struct entries *e)
{
	Dwarf_Off offset = 0;
	size_t len = 0;

	for (unsigned i = 0; i < CODE_MAX; i++, offset += len) {
		Dwarf_Abbrev *from = dwarf_getabbrev(&e->unit, offset, &len);
		struct entries_abbrev *a;

		if (from == DWARF_END_ABBREV)
			return true;
		if (!from || !len)
			return false;
		a = new_abbrev(e, dwarf_getabbrevcode(from));
		if (!a || !read_abbrev(e, from, a))
			return false;
	}
	return false;
}

/* --- the unit ------------------------------------------------------------- */

/* Bytes of a section once it is not compressed any more. */
static uint64_t section_size(Elf_Scn *s)
{
	GElf_Shdr h;
	GElf_Chdr c;

	if (!gelf_getshdr(s, &h) || h.sh_type == SHT_NOBITS)
		return 0;
	if (h.sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(s, &c) ? c.ch_size : 0;
	return h.sh_size;
}

/* Of .debug_info, or of its part in a file of its own (split DWARF). */
static uint64_t info_size(Elf *elf)
{
	static const char *const wanted[] = { ".debug_info", ".zdebug_info",
		".debug_info.dwo" };
	Elf_Scn *s = NULL;
	size_t names;
	GElf_Shdr h;

	if (!elf || elf_getshdrstrndx(elf, &names) != 0)
		return 0;
	while ((s = elf_nextscn(elf, s))) {
		const char *name = gelf_getshdr(s, &h)
					   ? elf_strptr(elf, names, h.sh_name)
					   : NULL;

		for (size_t i = 0; name && i < PP_ARRAY_LEN(wanted); i++) {
			if (strcmp(name, wanted[i]) == 0)
				return section_size(s);
		}
	}
	return 0;
}

static bool find_bytes(struct entries *e)
{
	Dwarf *dw = dwarf_cu_getdwarf(e->unit.cu);
	Dwarf_Off in_unit = dwarf_cuoffset(&e->unit);
	Dwarf_Off unit = dwarf_dieoffset(&e->unit) - in_unit, next = 0;
	size_t header;

	if (dwarf_next_unit(dw, unit, &next, &header, NULL, NULL, NULL, NULL,
		    NULL, NULL) != 0)
		return false;
	/* What the unit's header says of its length may be a lie. */
	next = PP_MIN(next, info_size(dwarf_getelf(dw)));
	if (next < unit + in_unit)
		return false;
	e->start = e->unit.addr;
	e->base = e->start - in_unit;
	e->end = e->base + (next - unit);
	return true;
}

bool entries_open(struct entries *e, const Dwarf_Die *unit)
{
	*e = (struct entries){ .unit = *unit };
	if (dwarf_cu_info(unit->cu, &e->version, NULL, NULL, NULL, NULL,
		    &e->address_size, &e->offset_size) == 0 &&
		find_bytes(e) && read_abbrevs(e))
		return true;
	entries_close(e);
	return false;
}

void entries_close(struct entries *e)
{
	free(e->abbrevs);
	free(e->skips);
	*e = (struct entries){ 0 };
}

/* --- steps ---------------------------------------------------------------- */

static bool leb(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end; shift += 7) {
		uint8_t byte = *(*at)++;

		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

static bool fixed(
	const uint8_t **at, const uint8_t *end, unsigned size, uint64_t *ret)
{
	*ret = 0;
	if ((size_t)(end - *at) < size || size > sizeof(*ret))
		return false;
	memcpy(ret, *at, size); /* this machine's byte order: see object.c */
	*at += size;
	return true;
}

static const uint8_t *over(
	const struct entries *e, struct entries_skip skip, const uint8_t *at)
{
	static const uint8_t sizes[] = {
		[SKIP_BLOCK1] = 1, [SKIP_BLOCK2] = 2, [SKIP_BLOCK4] = 4
	};
	uint64_t n = skip.bytes;

	switch (skip.kind) {
	case SKIP_BYTES:
		break;
	case SKIP_LEB:
		return leb(&at, e->end, &n) ? at : NULL;
	case SKIP_STRING:
		at = memchr(at, 0, (size_t)(e->end - at));
		return at ? at + 1 : NULL;
	case SKIP_BLOCK1:
	case SKIP_BLOCK2:
	case SKIP_BLOCK4:
		if (!fixed(&at, e->end, sizes[skip.kind], &n))
			return NULL;
		break;
	case SKIP_BLOCK:
		if (!leb(&at, e->end, &n))
			return NULL;
		break;
	case SKIP_INDIRECT:
		if (!leb(&at, e->end, &n))
			return NULL;
		skip = skip_of(e, (unsigned)n);
		return skip.kind == SKIP_INDIRECT ? NULL : over(e, skip, at);
	default:
		return NULL;
	}
	return n <= (uint64_t)(e->end - at) ? at + n : NULL;
}

bool entries_read(const struct entries *e, const uint8_t *at, struct entry *ret)
{
	const uint8_t *values = at;
	uint64_t code;

	if (!leb(&values, e->end, &code))
		return false;
	*ret = (struct entry){ .at = at, .values = values, .behind = values };
	if (!code)
		return true;
	if (code >= e->abbrev_count || !e->abbrevs[code].tag)
		return false;
	ret->abbrev = &e->abbrevs[code];
	at = values;
	for (uint32_t i = 0; at && i < ret->abbrev->skip_count; i++)
		at = over(e, e->skips[ret->abbrev->skip_from + i], at);
	ret->behind = at;
	return at;
}

static const uint8_t *sibling(
	const struct entries *e, const struct entry *entry)
{
	struct entries_skip size;
	const uint8_t *at = entry->values + entry->abbrev->sibling.at;
	uint64_t offset;

	size = skip_of(e, entry->abbrev->sibling.form);
	if (!entry->abbrev->sibling.form || size.kind != SKIP_BYTES ||
		!fixed(&at, e->end, size.bytes, &offset) ||
		offset >= (uint64_t)(e->end - e->base))
		return NULL;
	at = e->base + offset;
	return at >= entry->behind ? at : NULL; /* backwards: no end */
}

const uint8_t *entries_behind(
	const struct entries *e, const struct entry *entry)
{
	struct entry child;
	const uint8_t *at;
	unsigned depth = 1;

	if (!entry->abbrev->children)
		return entry->behind;
	at = sibling(e, entry);
	if (at)
		return at;
	for (at = entry->behind; depth; at = child.behind) {
		if (depth > NEST_MAX || !entries_read(e, at, &child))
			return NULL;
		if (!child.abbrev)
			depth--;
		else if (child.abbrev->children)
			depth++;
	}
	return at;
}

bool entries_range(const struct entries *e, const struct entry *entry,
	uint64_t *ret_start, uint64_t *ret_end)
{
	const struct entries_abbrev *a = entry->abbrev;
	const uint8_t *at = entry->values + a->low_pc.at;
	struct entries_skip size = skip_of(e, a->high_pc.form);

	if (a->low_pc.form != DW_FORM_addr || !a->high_pc.form ||
		!fixed(&at, e->end, e->address_size, ret_start))
		return false;
	at = entry->values + a->high_pc.at;
	switch (a->high_pc.form) {
	case DW_FORM_addr:
		return fixed(&at, e->end, size.bytes, ret_end);
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
		if (!fixed(&at, e->end, size.bytes, ret_end))
			return false;
		*ret_end += *ret_start;
		return true;
	default:
		return false;
	}
}
