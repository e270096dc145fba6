/*
 * locations.c - see locations.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "encode.h"
#include "fmt.h"
#include "known_names.h"
#include "locations.h"
#include "mappings.h"
#include "modules.h"
#include "symbols.h"

#define FIRST_ROOM 1024u /* a power of two */
#define SAME_MAX 1024u	 /* instances compared with each other */
#define ADDRESS_MASK ((UINT64_C(1) << FRAME_MODULE_SHIFT) - 1)

static const char *const synthetic_names[FRAME_SYNTHETICS] = {
	[FRAME_TRUNCATED] = "[truncated]",
	[FRAME_TOO_DEEP] = "[max depth]",
	[FRAME_OVERFLOW] = "[overflow]",
	[FRAME_THREAD_END] = "[thread end]",
	[FRAME_UNSEEN] = "[thread unseen]",
	[FRAME_NO_STACK] = "[stack not known]",
};

static unsigned module_of(const struct location *at)
{
	return frame_module(at->key);
}

static uint64_t address_of(const struct location *at)
{
	return at->key & ADDRESS_MASK;
}

static bool set_room(struct locations *l, uint32_t room)
{
	struct location *list = arena_alloc(l->arena, room * sizeof(*list));
	uint32_t *slots = arena_alloc(l->arena, 2 * room * sizeof(*slots));

	if (!list || !slots)
		return false;
	if (l->list)
		memcpy(list, l->list, (l->count + 1) * sizeof(*list));
	l->list = list;
	l->slots = slots;
	l->room = room;
	l->mask = 2 * room - 1;
	for (uint32_t i = 1; i <= l->count; i++) {
		uint32_t at = (uint32_t)pp_mix(list[i].key) & l->mask;

		while (slots[at])
			at = (at + 1) & l->mask;
		slots[at] = i;
	}
	return true;
}

/* Two threads may have made an instance of one segment at the same time. */
static bool same_segment(const struct module *a, const struct module *b)
{
	return a && b && a->start == b->start && a->limit == b->limit &&
	       a->file_offset == b->file_offset && a->kind == b->kind &&
	       a->build_id_len == b->build_id_len &&
	       a->path_len == b->path_len &&
	       memcmp(a->build_id, b->build_id, sizeof(a->build_id)) == 0;
}

static unsigned first_same(const struct locations *l, unsigned i)
{
	const struct module *m = modules_get(l->session, i);

	for (unsigned k = 1; k < PP_MIN(i, SAME_MAX); k++) {
		if (l->mappings[k].start == l->mappings[i].start &&
			same_segment(m, modules_get(l->session, k)))
			return k;
	}
	return i;
}

static void read_modules(struct locations *l)
{
	for (unsigned i = 1; i < l->mapping_count; i++) {
		const struct module *m = modules_get(l->session, i);

		if (!m)
			continue;
		l->mappings[i].start = m->start;
		l->mappings[i].size = m->limit - m->start;
		l->mappings[i].same_as = (uint16_t)first_same(l, i);
	}
}

int locations_init(struct locations *l, const struct session *s,
	struct arena *arena, struct strings *strings, bool own_process,
	bool embed)
{
	/* Instances made after this are in no row that we have. */
	uint32_t modules = atomic_load_explicit(
		&s->module_count, memory_order_acquire);

	*l = (struct locations){ .session = s,
		.arena = arena,
		.strings = strings,
		.mapping_count = PP_MIN(modules, MODULES_MAX) + 1,
		.own_process = own_process,
		.embed = embed,
		.unknown_lo = UINT64_MAX };
	l->mappings = arena_alloc(
		arena, l->mapping_count * sizeof(*l->mappings));
	if (!l->mappings || !set_room(l, FIRST_ROOM))
		return -ENOMEM;
	read_modules(l);
	return 0;
}

/* Frames of modules we do not know count as module 0; so does an address just
 * outside its module (a return address at the very start of a segment): one
 * such location makes some readers drop all names of the file. */
static uint64_t key_of(const struct locations *l, frame_t frame)
{
	unsigned module = frame_module(frame);
	uint64_t address = frame_address(frame) & FRAME_PC_MASK;
	const struct mapping *m;

	if (module == FRAME_SYNTHETIC)
		return frame_make(frame_pc(frame), false, module);
	m = &l->mappings[module < l->mapping_count ? module : 0];
	module = address - m->start < m->size ? m->same_as : 0;
	return frame_make(address, false, module);
}

uint32_t locations_add(struct locations *l, frame_t frame, bool wanted)
{
	uint64_t key = key_of(l, frame);
	uint32_t at = (uint32_t)pp_mix(key) & l->mask;
	uint32_t i;

	for (; (i = l->slots[at]); at = (at + 1) & l->mask) {
		if (l->list[i].key == key)
			break;
	}
	if (!i) {
		if (l->count + 1 == l->room) {
			if (!set_room(l, l->room * 2))
				return 0;
			return locations_add(l, frame, wanted);
		}
		i = ++l->count;
		l->list[i].key = key;
		l->slots[at] = i;
	}
	if (wanted)
		l->list[i].flags |= LOCATION_WANTED;
	return i;
}

/* --- names --------------------------------------------------------------- */

/* Frames of the allocator that are not to be a leaf. Class-specific operators
 * (_ZN3FoonwEm) are the program's own and stay. */
static bool is_allocator(const char *name)
{
	static const char c_names[][20] = { "malloc", "calloc", "realloc",
		"reallocarray", "memalign", "posix_memalign", "aligned_alloc",
		"valloc", "pvalloc", "__libc_malloc", "__libc_calloc",
		"__libc_realloc", "__libc_reallocarray", "__libc_memalign",
		"__libc_valloc", "__libc_pvalloc" };
	static const char new_tails[][32] = { "", "RKSt9nothrow_t",
		"St11align_val_t", "St11align_val_tRKSt9nothrow_t" };

	for (unsigned i = 0; i < PP_ARRAY_LEN(c_names); i++) {
		if (str_eq(name, c_names[i]))
			return true;
	}
	if (str_len(name) < 5 || (memcmp(name, "_Znwm", 5) != 0 &&
					 memcmp(name, "_Znam", 5) != 0))
		return false;
	for (unsigned i = 0; i < PP_ARRAY_LEN(new_tails); i++) {
		if (str_eq(name + 5, new_tails[i]))
			return true;
	}
	return false;
}

/* Code outside of files is one group: its names are in one perf map. */
static unsigned group_of(const struct locations *l, unsigned module)
{
	const struct module *m = modules_get(l->session, module);

	return m && m->kind != MODULE_JIT ? module : 0;
}

static uint32_t list_wanted(const struct locations *l, struct symbol *to)
{
	uint32_t n = 0;

	for (uint32_t i = 1; i <= l->count; i++) {
		const struct location *at = &l->list[i];

		if (!(at->flags & LOCATION_WANTED) ||
			module_of(at) == FRAME_SYNTHETIC)
			continue;
		to[n++] = (struct symbol){ .user = i,
			.key = frame_make(address_of(at), false,
				group_of(l, module_of(at))) };
	}
	symbols_sort(to, n);
	return n;
}

/* Look up group after group. */
static void find_names(struct locations *l, struct known_names *names,
	struct symbol *wanted, uint32_t n)
{
	uint32_t from = 0, to;

	for (; from < n; from = to) {
		unsigned group = frame_module(wanted[from].key);

		for (to = from + 1; to < n; to++) {
			if (frame_module(wanted[to].key) != group)
				break;
		}
		l->mappings[group].changed = !known_names_find(
			names, group, wanted + from, to - from);
	}
}

static void set_name(struct locations *l, const struct symbol *found)
{
	struct location *at = &l->list[found->user];
	unsigned group = frame_module(found->key);

	if (!found->name)
		return;
	at->name = strings_add(l->strings, found->name, found->name_len);
	if (is_allocator(l->strings->entries[at->name].text))
		at->flags |= LOCATION_ALLOCATOR;
	/* A perf map holds what the program's authors want to be read. */
	if (group == 0 && at->name)
		l->strings->entries[at->name].human = true;
}

/* Our own library: it contains this very code, or after the process's end is
 * called so. A test program that contains it as well is not meant. */
static bool is_ours(const struct locations *l, const struct module *m)
{
	static const char name[] = "/libpprofc.so";
	const char *path = module_path(l->session, m);
	uint64_t here = (uint64_t)(uintptr_t)&locations_init;
	size_t len = path ? symbols_path_length(path) : 0;

	if (m->is_main || m->kind != MODULE_FILE)
		return false;
	if (l->own_process && here - m->start < m->limit - m->start)
		return true;
	return len >= sizeof(name) - 1 &&
	       memcmp(path + len - (sizeof(name) - 1), name,
		       sizeof(name) - 1) == 0;
}

static void flag_ours(struct locations *l)
{
	for (uint32_t i = 1; i <= l->count; i++) {
		const struct module *m = modules_get(
			l->session, module_of(&l->list[i]));

		if (m && is_ours(l, m))
			l->list[i].flags |= LOCATION_OURS;
	}
}

int locations_name(struct locations *l, struct known_names *names)
{
	struct symbol *wanted = arena_alloc(
		l->arena, l->count * sizeof(*wanted));
	uint32_t n;

	if (!wanted)
		return -ENOMEM;
	n = list_wanted(l, wanted);
	find_names(l, names, wanted, n);
	for (uint32_t i = 0; i < n; i++)
		set_name(l, &wanted[i]);
	flag_ours(l);
	return l->strings->failed ? -ENOMEM : 0;
}

/* --- writing ------------------------------------------------------------- */

void locations_mark(struct locations *l, uint32_t i)
{
	struct location *at = &l->list[i];
	unsigned module = module_of(at);

	at->flags |= LOCATION_USED;
	if (module == FRAME_SYNTHETIC) {
		l->synthetic_used = true;
		return;
	}
	l->mappings[module].used = true;
	l->mappings[module].named |= l->embed && at->name;
	if (module == 0) {
		l->unknown_lo = PP_MIN(l->unknown_lo, address_of(at));
		l->unknown_hi = PP_MAX(l->unknown_hi, address_of(at));
	}
}

static int write_function(struct locations *l, struct encoder *e, uint32_t name)
{
	struct string_entry *entry = &l->strings->entries[name];

	if (!name || entry->function_written)
		return 0;
	entry->function_written = true;
	/* Readers demangle when both names are equal (contract 2.7). */
	return encode_function(e, name, name, entry->human ? 0 : name);
}

static int write_synthetic(struct locations *l, struct encoder *e, uint32_t i)
{
	uint64_t what = address_of(&l->list[i]);
	uint32_t name = strings_add_z(l->strings,
		what < FRAME_SYNTHETICS ? synthetic_names[what] : "[damaged]");
	int err = write_function(l, e, name);

	if (err)
		return err;
	what = PP_MIN(what, (uint64_t)FRAME_SYNTHETICS);
	return encode_location(e, i, MAPPING_SYNTHETIC_ID,
		MAPPING_SYNTHETIC_START + what, name);
}

int locations_write(struct locations *l, struct encoder *e)
{
	int err = 0;

	for (uint32_t i = 1; i <= l->count && !err; i++) {
		struct location *at = &l->list[i];
		uint32_t name = l->embed ? at->name : 0;

		if (!(at->flags & LOCATION_USED))
			continue;
		if (module_of(at) == FRAME_SYNTHETIC) {
			err = write_synthetic(l, e, i);
			continue;
		}
		err = write_function(l, e, name);
		if (!err)
			err = encode_location(e, i, mapping_id(module_of(at)),
				address_of(at), name);
	}
	return err ? err : mappings_write(l, e);
}
