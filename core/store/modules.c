/*
 * modules.c - see modules.h. Context: PP_ANY.
 *
 * Commit protocol: a slot goes 0 -> 1 by one CAS, is filled by the winner, and
 * becomes 2 with release; whoever reads 2 with acquire reads a whole module. A
 * slot in state 1 is passed by, not waited for: its writer may be the thread
 * we have interrupted. Then the same segment may get a second instance, which
 * costs a line in the profile's list of mappings and nothing else.
 */
#include "pp.h"

#include "chunk.h"
#include "fmt.h"
#include "modules.h"

enum { SLOT_EMPTY, SLOT_WRITING, SLOT_READY };

#define CHUNK_BYTES PP_PAGE

static void add_path(struct session *s, struct module *m, const char *path)
{
	size_t len = path ? str_len(path) : 0;
	uint64_t off;

	if (len == 0 || len >= CHUNK_BYTES)
		return;
	off = chunk_take(s, &s->module_text, CHUNK_BYTES, len + 1);
	if (!off)
		return;
	__builtin_memcpy(session_at(s, off), path, len + 1);
	m->path_off = off;
	m->path_len = (uint16_t)len;
}

/* Without a build id the path has to tell one object from another. */
static bool same_file(const struct session *s, const struct module *m,
	const struct module_info *info)
{
	if (m->build_id_len != info->build_id_len)
		return false;
	if (m->build_id_len)
		return __builtin_memcmp(m->build_id, info->build_id,
			       m->build_id_len) == 0;
	return str_eq(module_path(s, m), info->path ? info->path : "");
}

static bool same(const struct session *s, const struct module *m,
	const struct module_info *info)
{
	return m->start == info->start && m->limit == info->limit &&
	       m->kind == info->kind && m->bias == info->bias &&
	       m->file_offset == info->file_offset && same_file(s, m, info);
}

unsigned modules_find(const struct session *s, const struct module_info *info)
{
	unsigned n = atomic_load_explicit(
		&s->module_count, memory_order_acquire);

	for (unsigned i = 1; i <= n; i++) {
		const struct module *m = modules_get(s, i);

		if (m && same(s, m, info))
			return i;
	}
	return 0;
}

static void fill(
	struct session *s, struct module *m, const struct module_info *info)
{
	m->start = info->start;
	m->limit = info->limit;
	m->file_offset = info->file_offset;
	m->bias = info->bias;
	m->kind = (uint8_t)info->kind;
	m->is_main = info->is_main;
	m->build_id_len = (uint8_t)PP_MIN(
		info->build_id_len, MODULE_BUILD_ID_MAX);
	if (m->build_id_len)
		__builtin_memcpy(m->build_id, info->build_id, m->build_id_len);
	add_path(s, m, info->path);
	atomic_store_explicit(&m->state, SLOT_READY, memory_order_release);
}

static void raise_count(struct session *s, uint32_t i)
{
	uint32_t n = atomic_load(&s->module_count);

	while (n < i && !atomic_compare_exchange_weak(&s->module_count, &n, i))
		;
}

unsigned modules_intern(struct session *s, const struct module_info *info)
{
	for (uint32_t i = 1; i <= MODULES_MAX; i++) {
		struct module *m = seglist_grow(s, &s->modules, i);
		uint32_t state = SLOT_EMPTY;

		if (!m)
			return 0;
		if (atomic_compare_exchange_strong_explicit(&m->state, &state,
			    SLOT_WRITING, memory_order_acq_rel,
			    memory_order_acquire)) {
			fill(s, m, info);
			raise_count(s, i);
			return i;
		}
		if (state == SLOT_READY && same(s, m, info))
			return i;
	}
	return 0;
}

const struct module *modules_get(const struct session *s, unsigned instance)
{
	const struct module *m;

	if (instance == 0 || instance > MODULES_MAX)
		return NULL;
	m = seglist_at(s, &s->modules, instance);
	if (!m || atomic_load_explicit(&m->state, memory_order_acquire) !=
			  SLOT_READY)
		return NULL;
	return m;
}

const char *module_path(const struct session *s, const struct module *m)
{
	uint64_t used = atomic_load_explicit(&s->used, memory_order_relaxed);

	/* A copy ends there, and zeros follow. */
	if (m->path_off == 0 || m->path_off >= used ||
		m->path_len >= used - m->path_off)
		return "";
	return session_at(s, m->path_off);
}
