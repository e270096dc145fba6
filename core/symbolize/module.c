/*
 * module.c - see module.h.
 */
#include "pp.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <gelf.h>
#include <string.h>

#include "module.h"
#include "tell.h"

static void begin_alternate(struct module *m)
{
	m->alternate_dwarf = dwarf_begin_elf(
		m->alternate.elf, DWARF_C_READ, NULL);
	if (m->alternate_dwarf)
		dwarf_setalt(m->dwarf, m->alternate_dwarf);
}

static void open_alternate(struct module *m, const struct find_where *where)
{
	struct build_id id = { 0 };
	const char *name = NULL;
	const void *bytes = NULL;
	ssize_t len = dwelf_dwarf_gnu_debugaltlink(m->dwarf, &name, &bytes);

	if (len <= 0 || (size_t)len > BUILD_ID_MAX)
		return;
	memcpy(id.bytes, bytes, (size_t)len);
	id.len = (size_t)len;
	if (find_alternate(where, m->debug.path, name, &id, &m->alternate)) {
		tell("%s: cannot find %s, which has part of its debug "
		     "information",
			m->debug.path, name);
		m->incomplete = true;
		return;
	}
	m->alternate_dwarf = dwarf_begin_elf(
		m->alternate.elf, DWARF_C_READ, NULL);
	if (m->alternate_dwarf)
		dwarf_setalt(m->dwarf, m->alternate_dwarf);
}

static void open_debug(struct module *m, const struct find_where *where,
	const struct find_what *what)
{
	int err = find_debug(where, what, &m->main, &m->debug);

	if (err == -ESTALE) {
		m->refused = true;
		tell("%s: its separate debug information is of another build",
			what->path);
	}
	if (err)
		return;
	m->dwarf = dwarf_begin_elf(m->debug.elf, DWARF_C_READ, NULL);
	if (m->dwarf)
		open_alternate(m, where);
	else
		tell("%s: %s", m->debug.path, dwarf_errmsg(-1));
}

bool module_open(struct module *m, const struct find_where *where,
	const struct find_what *what)
{
	int err;

	*m = (struct module){
		.main.fd = -1, .debug.fd = -1, .alternate.fd = -1
	};
	err = find_main(where, what, &m->main);
	if (err == -ESTALE) {
		m->refused = true;
		tell("%s is not the file that was profiled: %s", what->path,
			what->id.len ? "its build id differs"
				     : "it has changed since");
	}
	open_debug(m, where, what);
	return m->main.elf || m->dwarf;
}

static void end_dwarf(struct module *m)
{
	if (m->dwarf)
		(void)dwarf_end(m->dwarf);
	if (m->alternate_dwarf)
		(void)dwarf_end(m->alternate_dwarf);
	m->dwarf = m->alternate_dwarf = NULL;
}

bool module_renew(struct module *m)
{
	end_dwarf(m);
	m->dwarf = dwarf_begin_elf(m->debug.elf, DWARF_C_READ, NULL);
	if (m->dwarf && m->alternate.elf)
		begin_alternate(m);
	return m->dwarf;
}

void module_close(struct module *m)
{
	end_dwarf(m);
	object_close(&m->main);
	object_close(&m->debug);
	object_close(&m->alternate);
}

/* A mapping names a segment exactly, or by whole pages. */
static bool is_segment(const GElf_Phdr *p, uint64_t offset)
{
	uint64_t first = p->p_offset & ~(uint64_t)(PP_PAGE - 1);

	return p->p_type == PT_LOAD && offset >= first &&
	       offset < p->p_offset + PP_MAX(p->p_filesz, UINT64_C(1));
}

/* With `code` only a segment of code. */
static bool find_segment(Elf *elf, uint64_t offset, bool code, GElf_Phdr *ret)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, ret))
			return false;
		if (is_segment(ret, offset) && (!code || ret->p_flags & PF_X))
			return true;
	}
	return false;
}

/* Of a debug file alone offsets say nothing: the first segment of code. */
static bool first_code(Elf *elf, GElf_Phdr *ret)
{
	size_t n = 0;

	if (elf_getphdrnum(elf, &n) != 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, ret))
			return false;
		if (ret->p_type == PT_LOAD && ret->p_flags & PF_X)
			return true;
	}
	return false;
}

bool module_segment(const struct module *m, uint64_t start, uint64_t offset,
	GElf_Phdr *ret_segment, uint64_t *ret_bias)
{
	Elf *elf = m->main.elf;

	if (!elf) {
		if (!m->debug.elf || !first_code(m->debug.elf, ret_segment))
			return false;
		*ret_bias = start ? start - ret_segment->p_vaddr : 0;
		return true;
	}
	if (!find_segment(elf, offset, true, ret_segment) &&
		!find_segment(elf, offset, false, ret_segment))
		return false;
	*ret_bias = start ? start - offset + ret_segment->p_offset -
				    ret_segment->p_vaddr
			  : 0;
	return true;
}
