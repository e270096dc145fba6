/*
 * symbols.c - see symbols.h: which files are read for a module.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "elf_file.h"
#include "fmt.h"
#include "match.h"
#include "symbols.h"

#define DELETED " (deleted)"
#define VDSO_BYTES_MAX (64u * 1024)

int symbols_init(struct symbols *y, const struct session *s,
	struct arena *arena, bool own_process)
{
	*y = (struct symbols){
		.session = s, .arena = arena, .own_process = own_process
	};
	y->block = arena_alloc(arena, SYMBOLS_BLOCK);
	y->steps = arena_alloc(arena, (SYMBOLS_STEPS + 1) * sizeof(*y->steps));
	return y->block && y->steps ? 0 : -ENOMEM;
}

/* Heapsort: no recursion, no memory, no libc. */
static void sift(struct symbol *a, uint32_t root, uint32_t n)
{
	struct symbol v = a[root];

	for (uint32_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && a[child].key < a[child + 1].key)
			child++;
		if (a[child].key <= v.key)
			break;
		a[root] = a[child];
	}
	a[root] = v;
}

void symbols_sort(struct symbol *a, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sift(a, i, n);
	for (uint32_t end = n; end-- > 1;) {
		struct symbol largest = a[0];

		a[0] = a[end];
		a[end] = largest;
		sift(a, 0, end);
	}
}

uint32_t symbols_first_from(const struct symbol *list, uint32_t n, uint64_t key)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (list[mid].key < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t symbols_path_length(const char *path)
{
	size_t len = str_len(path), tail = sizeof(DELETED) - 1;

	if (len > tail && memcmp(path + len - tail, DELETED, tail) == 0)
		return len - tail;
	return len;
}

/* The file has the executable segment that was mapped. */
static bool has_segment(const struct elf *e, const struct module *m)
{
	Elf64_Phdr p;

	for (uint32_t i = 0; i < e->phnum; i++) {
		if (elf_segment(e, i, &p) == 0 && p.p_type == PT_LOAD &&
			p.p_offset == m->file_offset &&
			m->bias + p.p_vaddr == m->start &&
			p.p_memsz == m->limit - m->start)
			return true;
	}
	return false;
}

static bool same_object(const struct elf *e, const struct module *m)
{
	uint8_t id[ELF_BUILD_ID_MAX];
	unsigned n = elf_build_id(e, id);

	if (n != m->build_id_len)
		return false;
	if (n)
		return memcmp(id, m->build_id, n) == 0;
	return has_segment(e, m); /* no build id anywhere: compare the shape */
}

static enum symbols_result try_open(
	struct elf *e, const char *path, const struct module *m)
{
	if (elf_open(e, path) != 0)
		return SYMBOLS_MISSING;
	if (same_object(e, m))
		return SYMBOLS_READ;
	elf_close(e);
	return SYMBOLS_CHANGED;
}

/* The file itself; for our own executable also what /proc still reaches after
 * it was replaced or deleted. */
static enum symbols_result open_module(const struct symbols *y,
	const char *mapped, const struct module *m, struct elf *e)
{
	char path[SETTINGS_PATH_MAX];
	size_t len = mapped ? symbols_path_length(mapped) : 0;
	enum symbols_result result = SYMBOLS_MISSING;

	if (len && len < sizeof(path)) {
		memcpy(path, mapped, len);
		path[len] = '\0';
		result = try_open(e, path, m);
	}
	if (result != SYMBOLS_READ && m->is_main && y->own_process &&
		try_open(e, "/proc/thread-self/exe", m) == SYMBOLS_READ)
		result = SYMBOLS_READ;
	return result;
}

/* /usr/lib/debug/.build-id/ab/cdef.debug */
static bool open_debug(const struct module *m, struct elf *e)
{
	char path[128];
	size_t at;

	if (m->build_id_len < 2 || m->build_id_len > MODULE_BUILD_ID_MAX)
		return false;
	at = fmt(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/",
		m->build_id[0]);
	for (unsigned i = 1; i < m->build_id_len; i++)
		at += fmt(path + at, sizeof(path) - at, "%02x", m->build_id[i]);
	(void)str_copy(path + at, sizeof(path) - at, ".debug");
	return try_open(e, path, m) == SYMBOLS_READ;
}

static bool all_named(const struct symbol *wanted, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (!wanted[i].name)
			return false;
	}
	return true;
}

enum symbols_result symbols_find_in_file(struct symbols *y, const char *path,
	const struct module *m, struct symbol *wanted, uint32_t n)
{
	struct elf file, debug;
	enum symbols_result result = open_module(y, path, m, &file);
	bool full = false;

	if (result == SYMBOLS_READ)
		full = match_table(y, &file, SHT_SYMTAB, m->bias, wanted, n) ==
		       0;
	if (!full && open_debug(m, &debug)) {
		(void)match_table(y, &debug, SHT_SYMTAB, m->bias, wanted, n);
		elf_close(&debug);
		if (result != SYMBOLS_READ)
			return SYMBOLS_READ;
	}
	if (result != SYMBOLS_READ)
		return result;
	/* What is exported is named here even if .symtab was cut down. */
	if (!all_named(wanted, n))
		(void)match_table(y, &file, SHT_DYNSYM, m->bias, wanted, n);
	elf_close(&file);
	return SYMBOLS_READ;
}

static enum symbols_result find_in_vdso(struct symbols *y,
	const struct module *m, struct symbol *wanted, uint32_t n)
{
	struct elf e;
	uint64_t at = y->own_process ? m->start & ~(PP_PAGE - 1ul)
				     : getauxval(AT_SYSINFO_EHDR);

	/* Of another process: ours is the same while the kernel is. */
	if (!at || elf_open_memory(&e, at, VDSO_BYTES_MAX) != 0 ||
		(!y->own_process && (!m->build_id_len || !same_object(&e, m))))
		return SYMBOLS_MISSING;
	(void)match_table(y, &e, SHT_SYMTAB, m->bias, wanted, n);
	(void)match_table(y, &e, SHT_DYNSYM, m->bias, wanted, n);
	return SYMBOLS_READ;
}

enum symbols_result symbols_find(struct symbols *y, const struct module *m,
	struct symbol *wanted, uint32_t n)
{
	if (m->kind == MODULE_VDSO)
		return find_in_vdso(y, m, wanted, n);
	if (m->kind == MODULE_JIT)
		return symbols_find_jit(y, wanted, n);
	return symbols_find_in_file(
		y, module_path(y->session, m), m, wanted, n);
}
