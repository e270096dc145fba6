/*
 * cfi_find.c - from a program counter to its FDE and CIE: binary search in
 * .eh_frame_hdr, then parsing of the two headers. Context: PP_ANY.
 *
 * Layouts: Linux Standard Base, "Exception Frames".
 */
#include "pp.h"

#include "cfi_priv.h"

/* The whole object; a cursor inside it starts at `at`. */
static struct cursor cursor_in(const struct cfi_source *source, uint64_t at)
{
	struct cursor c = { (const uint8_t *)at, (const uint8_t *)source->hi,
		false };

	if (at < source->lo || at >= source->hi) {
		c.p = c.end;
		c.bad = true;
	}
	return c;
}

/* Entries of the search table, sorted; both relative to .eh_frame_hdr. */
struct search_entry {
	int32_t start, fde;
};

static struct search_entry entry_at(const uint8_t *table, uint64_t i)
{
	struct search_entry e;

	__builtin_memcpy(&e, table + i * sizeof(e), sizeof(e));
	return e;
}

uint64_t cfi_search_table(const struct cfi_source *source, uint64_t *ret_count)
{
	uint64_t hdr = source->eh_frame_hdr;
	struct cursor c = cursor_in(source, hdr);
	uint8_t version = (uint8_t)cursor_fixed(&c, 1);
	uint8_t frame_enc = (uint8_t)cursor_fixed(&c, 1);
	uint8_t count_enc = (uint8_t)cursor_fixed(&c, 1);
	uint8_t table_enc = (uint8_t)cursor_fixed(&c, 1);
	uint64_t count;

	if (version != 1 || count_enc == PE_OMIT ||
		table_enc != (PE_DATAREL | PE_SDATA4))
		return 0;
	(void)cursor_pointer(&c, frame_enc, hdr);
	count = cursor_pointer(&c, count_enc, hdr);
	if (c.bad || count > cursor_left(&c) / sizeof(struct search_entry))
		return 0;
	*ret_count = count;
	return (uintptr_t)c.p;
}

static void prefetch_middle(const uint8_t *table, uint64_t lo, uint64_t hi)
{
	__builtin_prefetch(table + (lo + hi) / 2 * sizeof(struct search_entry));
}

/* The FDE of the last function that starts at or before pc; 0 if there is
 * none. */
static uint64_t search(const struct cfi_source *source, uint64_t pc)
{
	uint64_t hdr = source->eh_frame_hdr, lo = 0, hi = 0;
	uint64_t table = cfi_search_table(source, &hi);
	const uint8_t *entries = (const uint8_t *)table;
	int64_t want = (int64_t)(pc - hdr);

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;

		/* Of a large table each step is a miss: begin the next. */
		prefetch_middle(entries, lo, mid);
		prefetch_middle(entries, mid + 1, hi);
		if (entry_at(entries, mid).start <= want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? hdr + (uint64_t)(int64_t)entry_at(entries, lo - 1).fde : 0;
}

/* A CIE or FDE at `at`: its contents after the length field. False at the end
 * marker, and for lengths that leave the object. */
static bool open_record(
	const struct cfi_source *source, uint64_t at, struct cursor *ret)
{
	struct cursor c = cursor_in(source, at);
	uint64_t length = cursor_fixed(&c, 4);

	if (length == 0xffffffff)
		length = cursor_fixed(&c, 8);
	if (c.bad || length == 0 || length > cursor_left(&c))
		return false;
	c.end = c.p + length;
	*ret = c;
	return true;
}

static void parse_augmentation(
	struct cfi_function *f, struct cursor *c, const char *aug)
{
	struct cursor body = *c;
	uint64_t length = cursor_uleb(&body);
	const uint8_t *start = body.p;

	for (aug++; *aug; aug++) {
		switch (*aug) {
		case 'R':
			f->pointer_enc = (uint8_t)cursor_fixed(&body, 1);
			break;
		case 'L':
			(void)cursor_fixed(&body, 1);
			break;
		case 'P': {
			uint8_t enc = (uint8_t)cursor_fixed(&body, 1);

			(void)cursor_pointer(&body, enc & ~PE_INDIRECT, 0);
			break;
		}
		case 'S':
			f->is_signal = true;
			break;
		default: /* 'B' and others without data */
			break;
		}
	}
	c->bad |= body.bad;
	c->p = start;
	cursor_skip(c, length);
}

static bool parse_cie(
	const struct cfi_source *source, uint64_t at, struct cfi_function *f)
{
	struct cursor c;
	const char *aug;
	uint8_t version;

	if (!open_record(source, at, &c) || cursor_fixed(&c, 4) != 0)
		return false;
	version = (uint8_t)cursor_fixed(&c, 1);
	aug = (const char *)c.p;
	while (cursor_fixed(&c, 1) != 0)
		;
	if (c.bad || (version != 1 && version != 3))
		return false;
	f->code_align = cursor_uleb(&c);
	f->data_align = cursor_sleb(&c);
	f->ra_column = version == 1 ? cursor_fixed(&c, 1) : cursor_uleb(&c);
	f->pointer_enc = PE_ABSPTR;
	f->has_augmentation = *aug == 'z';
	if (*aug == 'z')
		parse_augmentation(f, &c, aug);
	else if (*aug)
		return false; /* old gcc's "eh": nothing of today */
	f->cie_program = c;
	return !c.bad;
}

int cfi_find(
	const struct cfi_source *source, uint64_t pc, struct cfi_function *f)
{
	uint64_t at = source->eh_frame_hdr ? search(source, pc) : 0;
	uint64_t field, size;
	struct cursor c;

	if (!at)
		return CFI_NO_FUNCTION;
	if (!open_record(source, at, &c))
		return CFI_DAMAGED;
	*f = (struct cfi_function){ 0 };
	field = (uint64_t)(uintptr_t)c.p;
	if (!parse_cie(source, field - cursor_fixed(&c, 4), f))
		return CFI_DAMAGED;
	f->start = cursor_pointer(&c, f->pointer_enc, source->eh_frame_hdr);
	size = cursor_pointer(&c, f->pointer_enc & PE_FORMAT, 0);
	if (f->has_augmentation)
		cursor_skip(&c, cursor_uleb(&c));
	f->program = c;
	if (c.bad)
		return CFI_DAMAGED;
	return pc >= f->start && pc - f->start < size ? CFI_FOUND
						      : CFI_NO_FUNCTION;
}
