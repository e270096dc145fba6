/*
 * object.c - see object.h. Context: PP_ANY.
 */
#include "pp.h"

#include "object.h"

bool object_read_header(struct object *o)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)o->lo;

	if (__builtin_memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
		e->e_phentsize != sizeof(ElfW(Phdr)))
		return false;
	if (e->e_phoff % 8 != 0 || e->e_phoff > PP_PAGE ||
		e->e_phoff + e->e_phnum * sizeof(ElfW(Phdr)) > PP_PAGE)
		return false;
	o->phdr = (const ElfW(Phdr) *)(o->lo + e->e_phoff);
	o->phnum = e->e_phnum;
	return true;
}

void object_bounds(struct object *o)
{
	uint64_t lo = UINT64_MAX, hi = 0;

	for (unsigned i = 0; i < o->phnum; i++) {
		const ElfW(Phdr) *p = &o->phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		lo = PP_MIN(lo, p->p_vaddr);
		hi = PP_MAX(hi, p->p_vaddr + p->p_memsz);
	}
	o->lo = lo < hi ? o->bias + (lo & ~(uint64_t)(PP_PAGE - 1)) : 0;
	o->hi = lo < hi ? o->bias + pp_round_up(hi, PP_PAGE) : 0;
}

const ElfW(Phdr) * object_phdr(const struct object *o, uint32_t type)
{
	for (unsigned i = 0; i < o->phnum; i++)
		if (o->phdr[i].p_type == type)
			return &o->phdr[i];
	return NULL;
}

/* The segment's pages, if it can be read. */
static bool readable_pages(const struct object *o, const ElfW(Phdr) * p,
	uint64_t *ret_lo, uint64_t *ret_hi)
{
	uint64_t start = o->bias + p->p_vaddr;

	*ret_lo = start & ~(uint64_t)(PP_PAGE - 1);
	*ret_hi = pp_round_up(start + p->p_memsz, PP_PAGE);
	return p->p_type == PT_LOAD && (p->p_flags & PF_R) && *ret_lo < *ret_hi;
}

void object_readable(const struct object *o, uint64_t *lo, uint64_t *hi)
{
	uint64_t from, to;
	bool more;

	do {
		more = false;
		for (unsigned i = 0; i < o->phnum; i++) {
			if (!readable_pages(o, &o->phdr[i], &from, &to) ||
				from > *hi || to < *lo ||
				(*lo == *hi && to == *lo) ||
				(from >= *lo && to <= *hi))
				continue;
			*lo = PP_MIN(*lo, from);
			*hi = PP_MAX(*hi, to);
			more = true;
		}
	} while (more);
}

/* The build id among the notes in [p, end), each padded to `align`. */
static unsigned scan_notes(
	const uint8_t *p, const uint8_t *end, size_t align, const uint8_t **ret)
{
	while ((size_t)(end - p) >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)(const void *)p;
		uint64_t name = pp_round_up(sizeof(*n) + n->n_namesz, align);
		uint64_t next = pp_round_up(name + n->n_descsz, align);

		if (next > (size_t)(end - p))
			return 0;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 &&
			__builtin_memcmp(n + 1, "GNU", 4) == 0) {
			*ret = p + name;
			return PP_MIN(n->n_descsz, MODULE_BUILD_ID_MAX);
		}
		p += next;
	}
	return 0;
}

unsigned object_build_id(const struct object *o, const uint8_t **ret)
{
	for (unsigned i = 0; i < o->phnum; i++) {
		const ElfW(Phdr) *p = &o->phdr[i];
		uint64_t start = o->bias + p->p_vaddr, lo = start, hi = start;
		unsigned n;

		if (p->p_type != PT_NOTE || start % 4 != 0)
			continue;
		object_readable(o, &lo, &hi);
		if (p->p_memsz > hi - start)
			continue;
		n = scan_notes((const uint8_t *)start,
			(const uint8_t *)(start + p->p_memsz),
			p->p_align == 8 ? 8 : 4, ret);
		if (n)
			return n;
	}
	return 0;
}
