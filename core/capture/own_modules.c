/*
 * own_modules.c - see own_modules.h.
 *
 * Locking: `version` is a sequence lock with one writer at a time; odd while
 * a table is being made. There are two, in turn: who makes one may lose the
 * processor, and until it is there the last one serves. Nobody waits: who finds
 * nothing walks the loader's list himself.
 */
#include "pp.h"

#include <stdatomic.h>
#include <sys/auxv.h>

#include "code_gate.h"
#include "fmt.h"
#include "object.h"
#include "own_modules.h"
#include "safe_read.h"

#define OWN_MAX 1024u	/* objects in the table; the others cost a walk */
#define LIST_MAX 65536u /* a list that changes may look endless */

const ElfW(Phdr) * own_modules_phdr;
unsigned own_modules_phnum;

static const struct r_debug *loader_list;

struct own_module {
	_Atomic uint64_t lo, hi, map;
};

struct own_table {
	_Atomic uint32_t count;
	struct own_module at[OWN_MAX];
};

static PP_BIG struct own_table tables[2];
static _Atomic uint32_t version;
static _Atomic uint32_t stale = 1;

void own_modules_start(void)
{
	loader_list = &_r_debug;
	own_modules_phdr = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	own_modules_phnum = (unsigned)getauxval(AT_PHNUM);
}

void own_modules_invalidate(void)
{
	atomic_store(&stale, 1);
}

void own_modules_reset(void)
{
	atomic_store(&version, atomic_load(&version) & ~1u);
	own_modules_invalidate();
}

/* The finished one at that version, which stays as it is until the version is
 * three above an even one. */
static struct own_table *table_of(uint32_t at_version)
{
	return &tables[at_version / 2 % 2];
}

static bool read_field(
	struct safe_reader *r, uint64_t map, size_t offset, uint64_t *ret)
{
	return safe_read(r, map + offset, ret);
}

/* The program itself: the first of the list, without a header at its bias. */
static bool is_program(uint64_t map)
{
	return loader_list && map == (uint64_t)(uintptr_t)loader_list->r_map;
}

/* Does the object's dynamic section lie where the loader says it does? If not,
 * the entry or the object is a leftover. */
static bool agrees(const struct object *o, uint64_t dynamic)
{
	const ElfW(Phdr) *p = object_phdr(o, PT_DYNAMIC);

	return p && o->bias + p->p_vaddr == dynamic;
}

/* Fill *o from the loader's entry at `map`. */
static bool read_object(struct safe_reader *r, uint64_t map, struct object *o)
{
	uint64_t bias, name, dynamic, header;

	if (!read_field(r, map, offsetof(struct link_map, l_addr), &bias) ||
		!read_field(r, map, offsetof(struct link_map, l_name), &name) ||
		!read_field(r, map, offsetof(struct link_map, l_ld), &dynamic))
		return false;
	*o = (struct object){ .bias = bias, .kind = MODULE_FILE };
	o->is_main = is_program(map);
	if (o->is_main) {
		o->phdr = own_modules_phdr;
		o->phnum = own_modules_phnum;
	} else {
		o->lo = bias;
		if (!safe_read(r, bias, &header) || !object_read_header(o))
			return false;
	}
	object_bounds(o);
	/* Enough of the name to be a string must be readable. */
	o->name = safe_read(r, name & ~UINT64_C(7), &header)
			  ? (const char *)name
			  : "";
	return agrees(o, dynamic);
}

/* The next entry of the loader's list after `map` (0 = the first). */
static uint64_t next_entry(struct safe_reader *r, uint64_t map)
{
	uint64_t next;

	if (!map)
		return loader_list ? (uint64_t)(uintptr_t)loader_list->r_map
				   : 0;
	return read_field(r, map, offsetof(struct link_map, l_next), &next)
		       ? next
		       : 0;
}

static bool walk(uint64_t pc, struct object *ret)
{
	struct safe_reader r;
	uint64_t map = 0;

	safe_read_init(&r);
	for (unsigned i = 0; i < LIST_MAX; i++) {
		map = next_entry(&r, map);
		if (!map)
			return false;
		if (read_object(&r, map, ret) && pc >= ret->lo && pc < ret->hi)
			return true;
	}
	return false;
}

static void set(struct own_module *m, const struct object *o, uint64_t map)
{
	atomic_store_explicit(&m->lo, o->lo, memory_order_relaxed);
	atomic_store_explicit(&m->hi, o->hi, memory_order_relaxed);
	atomic_store_explicit(&m->map, map, memory_order_relaxed);
}

static void rebuild(void)
{
	uint32_t even = atomic_load(&version) & ~1u;
	struct own_table *next = table_of(even + 2);
	struct safe_reader r;
	struct object o;
	uint64_t map = 0;
	unsigned n = 0;

	if (!atomic_compare_exchange_strong(&version, &even, even + 1))
		return;
	atomic_store(&stale, 0);
	safe_read_init(&r);
	for (unsigned i = 0; i < LIST_MAX && n < OWN_MAX; i++) {
		map = next_entry(&r, map);
		if (!map)
			break;
		if (read_object(&r, map, &o))
			set(&next->at[n++], &o, map);
	}
	atomic_store(&next->count, n);
	atomic_store_explicit(&version, even + 2, memory_order_release);
}

/* The loader's entry for pc as the table has it; 0 = not there. */
static uint64_t search(uint64_t pc)
{
	uint32_t before = atomic_load_explicit(&version, memory_order_acquire);
	const struct own_table *t = table_of(before);
	unsigned n = atomic_load(&t->count);
	uint64_t found = 0;

	for (unsigned i = 0; i < n && !found; i++)
		if (pc >= atomic_load(&t->at[i].lo) &&
			pc < atomic_load(&t->at[i].hi))
			found = atomic_load(&t->at[i].map);
	return atomic_load(&version) - (before & ~1u) < 3 ? found : 0;
}

/* Other objects than that of a running frame may be unmapped meanwhile, unless
 * the gate is held. */
static bool walk_safely(uint64_t pc, struct object *ret)
{
	bool found;

	if (!code_gate_enter())
		return false;
	found = walk(pc, ret);
	code_gate_leave();
	return found;
}

bool own_modules_find(uint64_t pc, struct object *ret)
{
	struct safe_reader r;
	uint64_t map;

	if (atomic_load(&stale) && code_gate_enter()) {
		rebuild();
		code_gate_leave();
	}
	map = search(pc);
	safe_read_init(&r);
	/* The entry may be older than the list: believe it only if the object
	 * is still there. */
	if (map && read_object(&r, map, ret) && pc >= ret->lo && pc < ret->hi)
		return true;
	if (!walk_safely(pc, ret))
		return false;
	own_modules_invalidate();
	return true;
}
