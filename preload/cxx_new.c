/*
 * cxx_new.c - operator new and delete, for allocators that bring their own.
 *
 * libstdc++'s operators end in malloc and free and are counted there. Those of
 * jemalloc and tcmalloc do not: where such an allocator serves the process, its
 * operators are counted here. Nowhere else: then the names must not be seen.
 *
 * Which definition a caller would have got without us:
 *
 *  - If a startup object behind us defines the name: that one. It is the first
 *    match in the global scope, for every caller, at all times. Startup objects
 *    may have been bound to us before any code of ours ran: we pass their calls
 *    on to it.
 *
 *  - If none does (a C program), whatever is loaded later finds its own, maybe
 *    a different one for each plugin, and must not find ours first.
 *
 * So before anything can be loaded, that is in the first allocation or in our
 * constructor, names that need not be counted are emptied in our symbol table:
 * from then on the loader does not see them and binds as if we were not there.
 * That is exact, and costs one page of our own.
 *
 * bad_alloc passes through our frames: nothing is held across the real call.
 *
 * Context: as heap.c; cxx_new_start() PP_NORMAL.
 */
#include "pp.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "heap.h"
#include "heap_hooks.h"
#include "real.h"
#include "sys.h"

/* X(name, (parameters), (names)). A nothrow_t is passed by reference, an
 * align_val_t as the size_t it is. */
#define NEW_LIST(X)                                                         \
	X(_Znwm, (size_t size), (size))                                     \
	X(_Znam, (size_t size), (size))                                     \
	X(_ZnwmRKSt9nothrow_t, (size_t size, const void *nothrow),          \
		(size, nothrow))                                            \
	X(_ZnamRKSt9nothrow_t, (size_t size, const void *nothrow),          \
		(size, nothrow))                                            \
	X(_ZnwmSt11align_val_t, (size_t size, size_t align), (size, align)) \
	X(_ZnamSt11align_val_t, (size_t size, size_t align), (size, align)) \
	X(_ZnwmSt11align_val_tRKSt9nothrow_t,                               \
		(size_t size, size_t align, const void *nothrow),           \
		(size, align, nothrow))                                     \
	X(_ZnamSt11align_val_tRKSt9nothrow_t,                               \
		(size_t size, size_t align, const void *nothrow),           \
		(size, align, nothrow))

#define DELETE_LIST(X)                                                        \
	X(_ZdlPv, (void *p), (p))                                             \
	X(_ZdaPv, (void *p), (p))                                             \
	X(_ZdlPvm, (void *p, size_t size), (p, size))                         \
	X(_ZdaPvm, (void *p, size_t size), (p, size))                         \
	X(_ZdlPvRKSt9nothrow_t, (void *p, const void *nothrow), (p, nothrow)) \
	X(_ZdaPvRKSt9nothrow_t, (void *p, const void *nothrow), (p, nothrow)) \
	X(_ZdlPvSt11align_val_t, (void *p, size_t align), (p, align))         \
	X(_ZdaPvSt11align_val_t, (void *p, size_t align), (p, align))         \
	X(_ZdlPvmSt11align_val_t, (void *p, size_t size, size_t align),       \
		(p, size, align))                                             \
	X(_ZdaPvmSt11align_val_t, (void *p, size_t size, size_t align),       \
		(p, size, align))                                             \
	X(_ZdlPvSt11align_val_tRKSt9nothrow_t,                                \
		(void *p, size_t align, const void *nothrow),                 \
		(p, align, nothrow))                                          \
	X(_ZdaPvSt11align_val_tRKSt9nothrow_t,                                \
		(void *p, size_t align, const void *nothrow),                 \
		(p, align, nothrow))

enum cxx_name {
#define INDEX(name, params, args) INDEX##name,
	NEW_LIST(INDEX) DELETE_LIST(INDEX) OPERATORS,
#undef INDEX
};

static const char names[OPERATORS][40] = {
#define NAME(name, params, args) [INDEX##name] = #name,
	NEW_LIST(NAME) DELETE_LIST(NAME)
#undef NAME
};

/* The linker's: where this object begins. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

static void *next[OPERATORS]; /* NULL = look it up for each call */
static uint32_t counted;      /* bits: calls of these are counted here */
bool cxx_new_settled;

/* Only where no startup object defines the name and our symbol table could not
 * be changed: what the caller would have been bound to, or nearly so. */
static PP_COLD void *look_up(enum cxx_name op, void *caller)
{
	void *found = real_next(names[op]), *object;
	Dl_info info;

	if (found || !dladdr(caller, &info))
		return found;
	object = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	return object ? dlsym(object, names[op]) : NULL;
}

static inline void *target(enum cxx_name op, void *caller)
{
	return pp_likely(next[op] != NULL) ? next[op] : look_up(op, caller);
}

static inline bool is_counted(enum cxx_name op)
{
	return (counted >> op & 1) != 0;
}

static PP_COLD void *new_sampled(void *p, size_t size)
{
	uint64_t weight = heap_begin(size);

	return weight ? heap_end(p, size, weight) : p;
}

#define NEW_HOOK(name, params, args)                                         \
	void *name params;                                                   \
	PP_EXPORT void *name params                                          \
	{                                                                    \
		void *(*real_new)params = (void *(*)params)target(           \
			INDEX##name, __builtin_return_address(0));           \
		void *made;                                                  \
                                                                             \
		if (!is_counted(INDEX##name))                                \
			return real_new args;                                \
		made = real_new args;                                        \
		return pp_unlikely(heap_due(size)) ? new_sampled(made, size) \
						   : made;                   \
	}
NEW_LIST(NEW_HOOK)

#define DELETE_HOOK(name, params, args)                                     \
	void name params;                                                   \
	PP_EXPORT void name params                                          \
	{                                                                   \
		void(*real_delete) params = (void(*) params)target(         \
			INDEX##name, __builtin_return_address(0));          \
                                                                            \
		if (is_counted(INDEX##name) && pp_unlikely(heap_listed(p))) \
			heap_free(p);                                       \
		real_delete args;                                           \
	}
DELETE_LIST(DELETE_HOOK)

/* --- start ----------------------------------------------------------------*/

/* Our own, whatever the exported names are bound to. */
#define OWN(name, params, args)         \
	extern __typeof(name) own##name \
		__attribute__((alias(#name), visibility("hidden")));
NEW_LIST(OWN)
DELETE_LIST(OWN)

#define OWN_ADDRESS(name, params, args) [INDEX##name] = (void *)own##name,
static void *const own[OPERATORS] = { NEW_LIST(OWN_ADDRESS)
		DELETE_LIST(OWN_ADDRESS) };

/*
 * The loaded object that holds a function: the one whose dynamic section is the
 * next above it, since linkers put data behind code. dladdr() would look for
 * the nearest symbol, too: in libc that takes 20 us.
 */
static const struct link_map *object_of(const void *function)
{
	const struct link_map *found = NULL;

	for (const struct link_map *o = _r_debug.r_map; o; o = o->l_next)
		if ((uintptr_t)o->l_ld > (uintptr_t)function &&
			(!found || o->l_ld < found->l_ld))
			found = o;
	return found;
}

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* Is there a C++ runtime behind us? A look-up that fails would cost more. */
static bool is_cxx(void)
{
	const struct link_map *map = object_of(own[0]);

	for (; map; map = map->l_next) {
		const char *slash = strrchr(map->l_name, '/');
		const char *file = slash ? slash + 1 : map->l_name;

		if (begins(file, "libstdc++.so") || begins(file, "libc++.so"))
			return true;
	}
	return false;
}

static void *call_new(enum cxx_name op, size_t size, size_t align)
{
	static const char nothrow;

	switch (op) {
	case INDEX_Znwm:
	case INDEX_Znam:
		return ((void *(*)(size_t))next[op])(size);
	case INDEX_ZnwmRKSt9nothrow_t:
	case INDEX_ZnamRKSt9nothrow_t:
		return ((void *(*)(size_t, const void *))next[op])(
			size, &nothrow);
	case INDEX_ZnwmSt11align_val_t:
	case INDEX_ZnamSt11align_val_t:
		return ((void *(*)(size_t, size_t))next[op])(size, align);
	default:
		return ((void *(*)(size_t, size_t, const void *))next[op])(
			size, align, &nothrow);
	}
}

/* The operator delete for what that operator new makes. */
static enum cxx_name delete_of(enum cxx_name op)
{
	switch (op) {
	case INDEX_Znwm:
	case INDEX_ZnwmRKSt9nothrow_t:
		return INDEX_ZdlPv;
	case INDEX_Znam:
	case INDEX_ZnamRKSt9nothrow_t:
		return INDEX_ZdaPv;
	case INDEX_ZnwmSt11align_val_t:
	case INDEX_ZnwmSt11align_val_tRKSt9nothrow_t:
		return INDEX_ZdlPvSt11align_val_t;
	default:
		return INDEX_ZdaPvSt11align_val_t;
	}
}

/*
 * Does this operator new call a function of the malloc family, as jemalloc's
 * aligned ones do? It is counted there, then. Asked by trying: the countdown
 * shows whether it came by.
 */
#define PROBE_SIZE 64u /* and alignment */
#define PROBE_UNTIL (UINT64_C(1) << 62)

static bool comes_by_malloc(enum cxx_name op)
{
	uint64_t until = thread_state.heap_until;
	bool came_by;
	void *p;

	thread_state.heap_until = PROBE_UNTIL;
	p = call_new(op, PROBE_SIZE, PROBE_SIZE);
	came_by = thread_state.heap_until != PROBE_UNTIL;
	/* The unaligned ones ignore the second argument. */
	((void (*)(void *, size_t))next[delete_of(op)])(p, PROBE_SIZE);
	thread_state.heap_until = until;
	return came_by;
}

/* Counted are operators of the object that serves malloc, if all comes from
 * there: delete, too. */
static void choose(const struct link_map *allocator)
{
	for (unsigned i = 0; i < OPERATORS; i++)
		if (next[i] && object_of(next[i]) == allocator)
			counted |= 1u << i;
	for (enum cxx_name i = INDEX_Znwm; i < INDEX_ZdlPv; i++)
		if (is_counted(i) && !is_counted(delete_of(i)))
			counted &= ~(1u << i);
}

static void resolve(void)
{
	for (unsigned i = 0; i < OPERATORS; i++) {
		next[i] = real_next(names[i]);
		if (!next[i])
			(void)dlerror(); /* not the host's */
	}
}

/* The segment of ours that holds `address`, in whole pages. */
struct pages {
	uintptr_t start;
	size_t size;
	int prot;
};

static bool find_pages(const void *base, uintptr_t address, struct pages *ret)
{
	const ElfW(Ehdr) *e = base;
	const ElfW(Phdr) *p = (const void *)((const char *)base + e->e_phoff);

	for (unsigned i = 0; i < e->e_phnum; i++, p++) {
		uintptr_t start = (uintptr_t)base + p->p_vaddr;

		if (p->p_type != PT_LOAD || address - start >= p->p_memsz)
			continue;
		ret->start = start & ~(uintptr_t)(PP_PAGE - 1);
		ret->size = pp_round_up(start + p->p_memsz, PP_PAGE) -
			    ret->start;
		ret->prot = PROT_READ | (p->p_flags & PF_X ? PROT_EXEC : 0);
		return true;
	}
	return false;
}

/* What our dynamic section says; the loader has made addresses of offsets. */
static void *dynamic(ElfW(Sxword) tag)
{
	for (const ElfW(Dyn) *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return (void *)d->d_un.d_ptr;
	return NULL;
}

struct symbols {
	ElfW(Sym) * first;
	size_t count;
};

/*
 * The names we define are the end of the symbol table, in the order of the hash
 * table's buckets. A bucket holds the index of its first symbol; in `chain` the
 * last symbol of each bucket has bit 0 set.
 */
static bool find_symbols(struct symbols *ret)
{
	const uint32_t *hash = dynamic(DT_GNU_HASH), *bucket, *chain;
	ElfW(Sym) *table = dynamic(DT_SYMTAB);
	uint32_t buckets, first, last = 0;

	if (!hash || !table)
		return false;
	buckets = hash[0];
	first = hash[1];
	bucket = hash + 4 + hash[2] * (sizeof(ElfW(Addr)) / 4);
	chain = bucket + buckets;
	for (uint32_t i = 0; i < buckets; i++)
		last = PP_MAX(last, bucket[i]);
	while (!(chain[last - first] & 1))
		last++;
	*ret = (struct symbols){ table + first, last - first + 1 };
	return true;
}

/* Is it the name of an operator that need not be counted? */
static bool is_superfluous(const ElfW(Sym) * symbol)
{
	const void *address = __ehdr_start + symbol->st_value;

	for (unsigned i = 0; i < OPERATORS; i++)
		if (own[i] == address)
			return !is_counted(i);
	return false;
}

/*
 * Take the names that are not counted out of our symbol table. Its segment is
 * a private mapping: nobody else sees the change. Where mprotect is refused
 * they stay, and calls go through us.
 */
static void hide_others(void)
{
	struct symbols ours;
	struct pages pages;

	if (!find_symbols(&ours) ||
		!find_pages(__ehdr_start, (uintptr_t)ours.first, &pages) ||
		sys_mprotect((void *)pages.start, pages.size,
			pages.prot | PROT_WRITE) != 0)
		return;
	for (size_t i = 0; i < ours.count; i++)
		if (is_superfluous(&ours.first[i]))
			ours.first[i].st_value = 0; /* counts as absent */
	(void)sys_mprotect((void *)pages.start, pages.size, pages.prot);
}

/* In the first allocation of the process (dlopen begins with one) or in the
 * constructor: it may be inside dlopen, and the settings are not known. */
void cxx_new_settle(void)
{
	const struct link_map *allocator;
	bool foreign; /* malloc is not libc's */

	if (cxx_new_settled)
		return;
	cxx_new_settled = true;
	/* Not real.malloc, which may not have been looked up yet. */
	allocator = object_of(real_next("malloc"));
	foreign = allocator != object_of((const void *)__errno_location);
	if (foreign || is_cxx())
		resolve();
	if (foreign)
		choose(allocator);
	hide_others();
}

void cxx_new_start(void)
{
	uint32_t before;

	cxx_new_settle();
	before = counted;
	if (!heap_is_on())
		counted = 0;
	for (enum cxx_name i = INDEX_Znwm; i < INDEX_ZdlPv; i++)
		if (is_counted(i) && comes_by_malloc(i))
			counted &= ~(1u << i);
	if (counted != before)
		hide_others();
}
