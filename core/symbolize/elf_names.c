/*
 * elf_names.c - see elf_names.h.
 *
 * libdwfl puts the tables together; which file has the debug information it is
 * told, so that it looks for none itself, and asks no server.
 */
#include "pp.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_names.h"
#include "list.h"

static int give_debug_file(Dwfl_Module *mod, void **user, const char *name,
	Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
	char **ret_name)
{
	const struct module *m = *user;

	(void)mod;
	(void)name;
	(void)base;
	(void)file;
	(void)link;
	(void)crc;
	if (!m || !m->debug.elf)
		return -1;
	*ret_name = strdup(m->debug.path);
	return fcntl(m->debug.fd, F_DUPFD_CLOEXEC, 3);
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = give_debug_file,
	.section_address = dwfl_offline_section_address,
};

/* As the library chooses: what the linker sees before what it does not, and
 * the plain name of a function before its aliases. */
static unsigned rank_of(const GElf_Sym *sym, const char *name)
{
	unsigned binding = GELF_ST_BIND(sym->st_info);
	unsigned rank = binding == STB_GLOBAL ? 0 : binding == STB_WEAK ? 1 : 2;

	return rank * 16 + PP_MIN((unsigned)strspn(name, "_"), 15u);
}

static bool is_function(const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC ||
		       type == STT_NOTYPE) &&
	       sym->st_size && sym->st_shndx != SHN_UNDEF;
}

static int by_start(const void *a, const void *b)
{
	const struct elf_name *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void read_names(struct elf_names *n, Dwfl_Module *mod)
{
	int count = dwfl_module_getsymtab(mod);

	for (int i = 1; i < count; i++) {
		struct elf_name *to;
		GElf_Addr at;
		GElf_Sym sym;
		const char *name = dwfl_module_getsym_info(
			mod, i, &sym, &at, NULL, NULL, NULL);

		if (!name || !*name || !is_function(&sym))
			continue;
		to = LIST_ADD(n->list, n->count, n->room);
		if (!to)
			break;
		*to = (struct elf_name){ at, at + sym.st_size, name,
			rank_of(&sym, name) };
		n->longest = PP_MAX(n->longest, sym.st_size);
	}
	if (n->count)
		qsort(n->list, n->count, sizeof(*n->list), by_start);
}

void elf_names_open(struct elf_names *n, const struct module *m)
{
	const struct object *o = m->main.elf ? &m->main : &m->debug;
	int fd = o->elf ? fcntl(o->fd, F_DUPFD_CLOEXEC, 3) : -1;
	Dwfl_Module *mod;
	void **user;

	*n = (struct elf_names){ 0 };
	n->dwfl = fd < 0 ? NULL : dwfl_begin(&callbacks);
	if (!n->dwfl) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	dwfl_report_begin(n->dwfl);
	/* At address 0: what comes out are the file's own addresses. */
	mod = dwfl_report_elf(n->dwfl, o->path, o->path, fd, 0, true);
	(void)dwfl_report_end(n->dwfl, NULL, NULL);
	if (!mod) {
		(void)close(fd);
		return;
	}
	if (dwfl_module_info(mod, &user, NULL, NULL, NULL, NULL, NULL, NULL))
		*user = (void *)(uintptr_t)m;
	read_names(n, mod);
}

void elf_names_free(struct elf_names *n)
{
	free(n->list);
	if (n->dwfl)
		dwfl_end(n->dwfl);
	*n = (struct elf_names){ 0 };
}

/* The last that starts at or before the address; -1 if none does. */
static long last_before(const struct elf_names *n, uint64_t address)
{
	size_t from = 0, count = n->count;

	while (count > 0) {
		size_t half = count / 2;

		if (n->list[from + half].start <= address) {
			from += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return (long)from - 1;
}

#define LOOK_BACK 1000 /* symbols in each other; more is no real table */

const char *elf_names_find(const struct elf_names *n, uint64_t address)
{
	const struct elf_name *best = NULL;
	long i = last_before(n, address);

	for (long end = PP_MAX(i - LOOK_BACK, -1L); i > end; i--) {
		const struct elf_name *at = &n->list[i];

		if (best && at->start != best->start)
			break;
		if (address - at->start > n->longest)
			break;
		/* Going down, so that of the same start the first stays. */
		if (address < at->end)
			best = at;
	}
	return best ? best->name : NULL;
}
