/*
 * mappings.c - see mappings.h. Context: PP_ANY.
 *
 * Bounds are segment-exact (contract 2.1). has_functions is set on a mapping
 * as soon as one of its locations has a name: with all flags 0 go tool pprof
 * would replace good C++ names by nothing (contract 2.2).
 */
#include "pp.h"

#include "elf_file.h"
#include "encode.h"
#include "fmt.h"
#include "locations.h"
#include "mappings.h"
#include "modules.h"
#include "symbols.h"
#include "sys.h"

static uint32_t hex_string(
	struct strings *strings, const uint8_t *id, unsigned n)
{
	char hex[2 * MODULE_BUILD_ID_MAX + 1];
	size_t at = 0;

	for (unsigned i = 0; i < PP_MIN(n, MODULE_BUILD_ID_MAX); i++)
		at += fmt(hex + at, sizeof(hex) - at, "%02x", id[i]);
	return strings_add(strings, hex, at);
}

static uint32_t path_string(const struct locations *l, const struct module *m)
{
	const char *path = module_path(l->session, m);

	if (m->kind == MODULE_VDSO)
		return strings_add_z(l->strings, "[vdso]");
	if (m->kind == MODULE_JIT)
		return strings_add_z(l->strings, "[jit]");
	if (!path || !*path)
		return strings_add_z(l->strings, "[unknown]");
	return strings_add(l->strings, path, symbols_path_length(path));
}

static int write_module(
	const struct locations *l, struct encoder *e, unsigned instance)
{
	const struct module *m = modules_get(l->session, instance);

	if (!m)
		return 0;
	return encode_mapping(
		e, &(struct encode_mapping){
			   .id = mapping_id(instance),
			   .start = m->start,
			   .limit = m->limit,
			   .file_offset = m->file_offset,
			   .path = path_string(l, m),
			   .build_id = hex_string(
				   l->strings, m->build_id, m->build_id_len),
			   .has_functions = l->mappings[instance].named,
		   });
}

/* What the path names is what the process ran. */
static bool is_unchanged(const struct locations *l)
{
	const struct session *s = l->session;
	struct stat st;

	return l->own_process ||
	       (sys_stat(s->exe_path, &st) == 0 &&
		       (uint64_t)st.st_ctime <= s->start_wall_ns / 1000000000u);
}

/* The program's name and build id when no sample fell into it: readers take
 * both from the first mapping. Its addresses are those in the file. */
static int write_main_from_file(const struct locations *l, struct encoder *e)
{
	struct encode_mapping out = { .id = MAPPING_MAIN_ID };
	const char *path = l->session->exe_path;
	uint8_t id[ELF_BUILD_ID_MAX];
	struct elf elf;
	Elf64_Phdr p;

	if (!*path)
		return 0;
	out.path = strings_add(l->strings, path, symbols_path_length(path));
	if ((l->own_process && elf_open(&elf, "/proc/thread-self/exe") == 0) ||
		(is_unchanged(l) && elf_open(&elf, path) == 0)) {
		out.build_id = hex_string(
			l->strings, id, elf_build_id(&elf, id));
		for (uint32_t i = 0; elf_segment(&elf, i, &p) == 0; i++) {
			if (p.p_type != PT_LOAD || !(p.p_flags & PF_X))
				continue;
			out.start = p.p_vaddr;
			out.limit = p.p_vaddr + p.p_memsz;
			out.file_offset = p.p_offset;
			break;
		}
		elf_close(&elf);
	}
	return encode_mapping(e, &out);
}

static int write_pseudo(const struct locations *l, struct encoder *e)
{
	int err = 0;

	if (l->mappings[0].used)
		err = encode_mapping(e,
			&(struct encode_mapping){
				.id = mapping_id(0),
				.start = l->unknown_lo,
				.limit = l->unknown_hi + 1,
				.path = strings_add_z(l->strings, "[unknown]"),
				.has_functions = l->mappings[0].named,
			});
	if (!err && l->synthetic_used)
		err = encode_mapping(e,
			&(struct encode_mapping){
				.id = MAPPING_SYNTHETIC_ID,
				.start = MAPPING_SYNTHETIC_START,
				.limit = MAPPING_SYNTHETIC_LIMIT,
				.path = strings_add_z(l->strings, "[pprofc]"),
				.has_functions = true,
			});
	return err;
}

/* The executable's segment to come first: a used one, else any; 0 = none. */
static unsigned first_main(const struct locations *l)
{
	unsigned any = 0;

	for (unsigned i = 1; i < l->mapping_count; i++) {
		const struct module *m = modules_get(l->session, i);

		if (!m || !m->is_main)
			continue;
		if (l->mappings[i].used)
			return i;
		if (!any)
			any = i;
	}
	return any;
}

int mappings_write(const struct locations *l, struct encoder *e)
{
	unsigned main_module = first_main(l);
	int err = main_module ? write_module(l, e, main_module)
			      : write_main_from_file(l, e);

	for (unsigned i = 1; i < l->mapping_count && !err; i++) {
		if (l->mappings[i].used && i != main_module)
			err = write_module(l, e, i);
	}
	return err ? err : write_pseudo(l, e);
}
