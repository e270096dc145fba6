/*
 * match.c - see match.h. Context: PP_ANY.
 *
 * Which name. A symbol names an address if it contains it: value <= address <
 * value + size. Of several the one that starts last is the innermost; of
 * aliases (same start) the best by binding, then by fewer leading underscores,
 * then the shorter, then the first in byte order: never by chance.
 *
 * Symbols of size 0. Hand-written assembler leaves `_start`, `_init` and the
 * like without a size. Such a label may name what follows it in its section up
 * to the next symbol of any kind, and only from a full .symtab: there the next
 * function has a symbol, too. In .dynsym the next function is most likely one
 * that is not exported, and the label would be a wrong neighbour.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "match.h"

/* A hostile file may hold millions of symbols that all cover everything. */
#define BUDGET (16u * 1024 * 1024)
#define COMPARE_COST 64u
#define NAME_CHUNK 256u
#define NAME_MAX_BYTES 32768u

struct candidate {
	uint64_t start, size;
	uint32_t name; /* offset in the string section */
	uint16_t section;
	uint8_t rank; /* 0 = no candidate */
};

#define RANK_DATA 1 /* names no code, but ends a label */

struct match {
	struct candidate inside; /* contains the address */
	struct candidate before; /* the last one that starts at or before it */
};

struct scan {
	struct symbols *y;
	const struct elf *e;
	Elf64_Shdr table, names;
	uint64_t bias;
	struct symbol *wanted;
	struct match *matches;
	uint32_t n;
	/* y->steps: the first address from each step on; the last is n */
	uint64_t lowest, highest; /* address */
	unsigned shift;		  /* a step is 1 << shift wide */
	uint32_t budget;
	bool labels;
};

static uint64_t file_address(const struct scan *c, uint32_t i)
{
	return symbol_address(&c->wanted[i]) - c->bias;
}

/* Functions before labels, then by binding. */
static uint8_t rank_of(const Elf64_Sym *sym, uint16_t machine, bool variables)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	unsigned binding = ELF64_ST_BIND(sym->st_info);
	uint8_t rank = binding == STB_WEAK ? 1 : binding == STB_LOCAL ? 0 : 2;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS ||
		sym->st_name == 0)
		return 0;
	if (variables)
		return type == STT_OBJECT ? rank + RANK_DATA + 1 : 0;
	if (type == STT_OBJECT)
		return RANK_DATA;
	/* Mapping symbols ($x, $d) mark code and data, not functions. */
	if (type == STT_NOTYPE && machine == EM_AARCH64 && rank == 0)
		return 0;
	if (type == STT_NOTYPE)
		return rank + RANK_DATA + 1;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return rank + RANK_DATA + 4;
	return 0;
}

/* Where the addresses lie, in steps of equal width: a table has a hundred times
 * as many symbols as there are addresses. */
static void set_steps(struct scan *c)
{
	uint32_t i = 0;

	c->lowest = file_address(c, 0);
	c->highest = file_address(c, c->n - 1);
	while ((c->highest - c->lowest) >> c->shift >= SYMBOLS_STEPS)
		c->shift++;
	for (uint32_t step = 0; step <= SYMBOLS_STEPS; step++) {
		while (i < c->n &&
			(file_address(c, i) - c->lowest) >> c->shift < step)
			i++;
		c->y->steps[step] = i;
	}
}

/* The first wanted address >= value; n = there is none. */
static uint32_t first_from(const struct scan *c, uint64_t value)
{
	uint64_t step = (value - c->lowest) >> c->shift;
	uint32_t lo, hi;

	if (value <= c->lowest)
		return 0;
	if (value > c->highest)
		return c->n;
	lo = c->y->steps[step];
	hi = c->y->steps[step + 1];
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (file_address(c, mid) < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* No address lies in any step that the symbol touches: so it is with nearly all
 * symbols of a table. One that wraps around touches whatever it likes. */
static inline bool touches_none(const struct scan *c, const Elf64_Sym *sym)
{
	uint64_t start = sym->st_value, end = start + sym->st_size;
	uint64_t from, last;

	if (end <= start)
		return sym->st_size == 0;
	if (start > c->highest || end <= c->lowest)
		return true;
	from = PP_MAX(start, c->lowest) - c->lowest;
	last = PP_MIN(end - 1, c->highest) - c->lowest;
	return c->y->steps[from >> c->shift] ==
	       c->y->steps[(last >> c->shift) + 1];
}

static void read_name(
	const struct scan *c, uint32_t offset, char *buf, size_t size)
{
	long n = 0;

	if (offset < c->names.sh_size)
		n = elf_read_some(c->e, c->names.sh_offset + offset, buf,
			PP_MIN(size - 1, c->names.sh_size - offset));
	buf[n > 0 ? n : 0] = '\0';
}

static unsigned underscores(const char *name)
{
	unsigned n = 0;

	while (name[n] == '_')
		n++;
	return n;
}

/* Of two names of the same function; long ones are compared by their start. */
static bool nicer(struct scan *c, uint32_t a, uint32_t b)
{
	char x[NAME_CHUNK], y[NAME_CHUNK];

	if (a == b)
		return false;
	c->budget -= PP_MIN(c->budget, COMPARE_COST);
	read_name(c, a, x, sizeof(x));
	read_name(c, b, y, sizeof(y));
	if (underscores(x) != underscores(y))
		return underscores(x) < underscores(y);
	if (str_len(x) != str_len(y))
		return str_len(x) < str_len(y);
	return memcmp(x, y, str_len(x)) < 0;
}

static bool better(
	struct scan *c, const struct candidate *a, const struct candidate *b)
{
	if (!b->rank)
		return true;
	if (a->start != b->start)
		return a->start > b->start;
	if (a->rank != b->rank)
		return a->rank > b->rank;
	return nicer(c, a->name, b->name);
}

/* For `before` it only matters where the last one starts and whether it has a
 * size: then its function has ended before the address. */
static bool nearer(
	struct scan *c, const struct candidate *a, const struct candidate *b)
{
	if (b->rank && a->start == b->start && !a->size != !b->size)
		return a->size != 0;
	return better(c, a, b);
}

static struct candidate candidate_of(const struct scan *c, const Elf64_Sym *sym)
{
	return (struct candidate){ sym->st_value, sym->st_size, sym->st_name,
		sym->st_shndx, rank_of(sym, c->e->machine, c->y->variables) };
}

static void consider_inside(struct scan *c, const Elf64_Sym *sym)
{
	struct candidate new;

	if (touches_none(c, sym))
		return;
	new = candidate_of(c, sym);
	if (new.rank <= RANK_DATA)
		return;
	for (uint32_t i = first_from(c, new.start); i < c->n && c->budget;
		i++, c->budget--) {
		if (file_address(c, i) - new.start >= new.size)
			return;
		if (better(c, &new, &c->matches[i].inside))
			c->matches[i].inside = new;
	}
}

/* Noted at the first address only; label_names() carries it on. */
static void consider_before(struct scan *c, const Elf64_Sym *sym)
{
	struct candidate new = candidate_of(c, sym);
	uint32_t first;

	if (!new.rank)
		return;
	if (new.rank == RANK_DATA)
		new.size = PP_MAX(new.size, 1u);
	first = first_from(c, new.start);
	if (first < c->n && nearer(c, &new, &c->matches[first].before))
		c->matches[first].before = new;
}

typedef void consider_fn(struct scan *c, const Elf64_Sym *sym);

static inline int scan_table(struct scan *c, consider_fn *consider)
{
	uint64_t count = c->table.sh_size / sizeof(Elf64_Sym);
	uint32_t per_block = SYMBOLS_BLOCK / sizeof(Elf64_Sym);
	const Elf64_Sym *block = (const Elf64_Sym *)(void *)c->y->block;

	for (uint64_t done = 0; done < count; done += per_block) {
		uint64_t n = PP_MIN(count - done, per_block);
		int err = elf_read(c->e,
			c->table.sh_offset + done * sizeof(Elf64_Sym),
			c->y->block, n * sizeof(Elf64_Sym));

		if (err)
			return err;
		for (uint64_t i = 0; i < n; i++) {
			if (!c->budget)
				return -E2BIG;
			c->budget--;
			consider(c, &block[i]);
		}
	}
	return 0;
}

/* What contains the addresses; and if that leaves some out, the labels before
 * them. */
static int scan(struct scan *c)
{
	int err = scan_table(c, consider_inside);
	uint32_t i = 0;

	while (i < c->n && c->matches[i].inside.rank)
		i++;
	if (err || !c->labels || i == c->n)
		return err;
	c->budget = BUDGET;
	return scan_table(c, consider_before);
}

static bool in_section(const struct scan *c, uint16_t section, uint64_t address)
{
	Elf64_Shdr h;

	return elf_section(c->e, section, &h) == 0 &&
	       (h.sh_flags & SHF_EXECINSTR) && address - h.sh_addr < h.sh_size;
}

/* Give addresses inside no symbol the label before them, if it may. */
static void label_names(struct scan *c)
{
	struct candidate last = { 0 };

	for (uint32_t i = 0; i < c->n; i++) {
		struct match *m = &c->matches[i];

		if (m->before.rank && nearer(c, &m->before, &last))
			last = m->before;
		if (!m->inside.rank && last.rank && last.size == 0 &&
			in_section(c, last.section, file_address(c, i)))
			m->inside = last;
	}
}

/* Without "@GLIBC_2.2.5". */
static size_t unversioned_length(const char *name, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (name[i] == '@')
			return i;
	}
	return len;
}

/* The whole name; NULL if there is none. */
static const char *take_name(struct scan *c, uint32_t offset, uint32_t *ret_len)
{
	char *buf = (char *)c->y->block;
	size_t size = NAME_CHUNK, len;
	char *name;

	do {
		read_name(c, offset, buf, size);
		len = str_len(buf);
		size *= 8;
	} while (len == size / 8 - 1 && size <= NAME_MAX_BYTES);
	len = unversioned_length(buf, len);
	name = len ? arena_alloc(c->y->arena, len + 1) : NULL;
	if (!name)
		return NULL;
	memcpy(name, buf, len);
	*ret_len = (uint32_t)len;
	return name;
}

static void set_names(struct scan *c)
{
	const struct symbol *last = NULL;
	uint32_t last_name = 0;

	for (uint32_t i = 0; i < c->n; i++) {
		struct symbol *w = &c->wanted[i];
		const struct candidate *m = &c->matches[i].inside;

		if (!m->rank || w->name)
			continue;
		w->offset = file_address(c, i) - m->start;
		if (last && last_name == m->name) {
			w->name = last->name;
			w->name_len = last->name_len;
			continue;
		}
		w->name = take_name(c, m->name, &w->name_len);
		last = w;
		last_name = m->name;
	}
}

int match_table(struct symbols *y, const struct elf *e, uint32_t type,
	uint64_t bias, struct symbol *wanted, uint32_t n)
{
	struct scan c = { .y = y,
		.e = e,
		.bias = bias,
		.wanted = wanted,
		.n = n,
		.budget = BUDGET,
		.labels = type == SHT_SYMTAB && !y->variables };
	int err = n ? elf_find_section(e, type, &c.table) : -ENODATA;

	if (!err)
		err = elf_section(e, c.table.sh_link, &c.names);
	if (err)
		return err;
	if (c.table.sh_entsize != sizeof(Elf64_Sym) ||
		c.names.sh_type != SHT_STRTAB)
		return -ENOEXEC;
	c.matches = arena_alloc(y->arena, n * sizeof(*c.matches));
	if (!c.matches)
		return -ENOMEM;
	set_steps(&c);
	err = scan(&c);
	if (e->file.fd >= 0 && !own_fd_is_ours(&e->file))
		return -EBADF; /* some of it was another file's */
	/* A label is believed only when the whole table has been seen. */
	if (!err && c.labels)
		label_names(&c);
	set_names(&c);
	return err;
}
