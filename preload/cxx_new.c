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
 * constructor, names that need not be counted are taken out of our hash table:
 * from then on the loader does not see them and binds as if we were not there.
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
#include "lookup.h"
#include "real.h"

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

static const uint32_t hashes[OPERATORS] = {
#define HASH(name, params, args) [INDEX##name] = LOOKUP_HASH(#name),
	NEW_LIST(HASH) DELETE_LIST(HASH)
#undef HASH
};

/* The linker's: our table of names, DT_GNU_HASH. */
extern uint32_t library_names[] __attribute__((visibility("hidden")));

static void *next[OPERATORS]; /* NULL = look it up for each call */
static uint32_t counted;      /* bits: calls of these are counted here */
bool cxx_new_settled;

/* Only where no startup object defines the name, and a look-up came before it
 * was hidden: what the caller would have been bound to, or nearly so. */
static PP_COLD void *look_up(enum cxx_name op, void *caller)
{
	void *found = real_next(names[op]), *object;
	Dl_info info;

	if (found || !real.dladdr(caller, &info))
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

#define NEW_ANY(name, params, args)                                          \
	static PP_NOINLINE void *any##name params                            \
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
NEW_LIST(NEW_ANY)

#define DELETE_ANY(name, params, args)                                      \
	static PP_NOINLINE void any##name params                            \
	{                                                                   \
		void(*real_delete) params = (void(*) params)target(         \
			INDEX##name, __builtin_return_address(0));          \
                                                                            \
		if (is_counted(INDEX##name) && pp_unlikely(heap_listed(p))) \
			heap_free(p);                                       \
		real_delete args;                                           \
	}
DELETE_LIST(DELETE_ANY)

/*
 * Where the functions that callers are bound to jump to: at first the ones
 * above, which know what to do at any time, and the real ones as soon as these
 * need nothing of us. Like any_*, which are reached by a jump, they find the
 * caller's return address on the stack.
 */
#define ANY(name, params, args) [INDEX##name] = (void *)any##name,
static void *go_on[OPERATORS] = { NEW_LIST(ANY) DELETE_LIST(ANY) };

#define NEW_HOOK(name, params, args)                              \
	void *name params;                                        \
	PP_EXPORT void *name params                               \
	{                                                         \
		return ((void *(*)params)go_on[INDEX##name])args; \
	}
NEW_LIST(NEW_HOOK)

#define DELETE_HOOK(name, params, args)                    \
	void name params;                                  \
	PP_EXPORT void name params                         \
	{                                                  \
		((void(*) params)go_on[INDEX##name]) args; \
	}
DELETE_LIST(DELETE_HOOK)

static void go_straight(void)
{
	for (unsigned i = 0; i < OPERATORS; i++)
		if (next[i] && !is_counted(i))
			go_on[i] = next[i];
}

/* --- start ----------------------------------------------------------------*/

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
	const struct link_map *map = object_of((const void *)begins);

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
			(void)real.dlerror(); /* not the host's */
	}
}

/*
 * Where our table has a name, or NULL if it has been taken out. A bucket holds
 * the index of its first symbol. The last symbol of each has bit 0 set, which
 * is no part of the hash. No two names of ours have the same one
 * (tests/e2e/test_build.py).
 */
static uint32_t *find_hash(uint32_t hash)
{
	uint32_t buckets = library_names[0], first = library_names[1];
	uint32_t *bucket = library_names + 4 +
			   library_names[2] * (sizeof(ElfW(Addr)) / 4);
	uint32_t *chain = bucket + buckets, i = bucket[hash % buckets];

	if (i < first) /* empty */
		return NULL;
	for (;; i++) {
		uint32_t *word = &chain[i - first];

		if ((*word ^ hash) >> 1 == 0)
			return word;
		if (*word & 1)
			return NULL;
	}
}

/* Take the names that are not counted out of our table. Its memory is ours and
 * writable (pprofc.ld): nobody else sees the change. */
static void hide_others(void)
{
	uint32_t *word;

	for (unsigned i = 0; i < OPERATORS; i++) {
		word = is_counted(i) ? NULL : find_hash(hashes[i]);
		if (word)
			*word ^= 2; /* is no name's hash now */
	}
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
	allocator = object_of(real_next_malloc());
	foreign = allocator != object_of((const void *)__errno_location);
	if (foreign || is_cxx())
		resolve();
	if (foreign)
		choose(allocator);
	hide_others();
	go_straight();
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
	if (counted != before) {
		hide_others();
		go_straight();
	}
}
