/*
 * real.c - resolving the functions behind our hooks one by one, by dlsym; see
 * real.h. All of them at once: real_next.c.
 *
 * A successful dlsym does not allocate, a failing one does (its message), and
 * glibc before 2.34 callocs its per-thread result even on success. So while a
 * thread resolves, its allocations come from a static buffer.
 *
 * glibc finds out who calls dlsym by the return address: the call must not
 * become a jump, or RTLD_NEXT is counted from somebody else's object.
 */
#include "pp.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "lookup.h"
#include "real.h"

/* Volatile because dlsym is declared as a leaf: the compiler believes that it
 * never comes back into this file, and would leave out the store. */
static __thread volatile bool resolving
	__attribute__((tls_model("initial-exec")));

_Alignas(PP_PAGE) PP_BIG char real_early[REAL_EARLY_BYTES];
static _Atomic size_t early_used;

/* Blocks carry their size in the 16 bytes before them. */
#define EARLY_HEADER 16u

static void *early_alloc(size_t align, size_t size)
{
	size_t old = atomic_load(&early_used), start, end;

	if (size > REAL_EARLY_BYTES || align > PP_PAGE)
		return NULL;
	do {
		start = pp_round_up(old + EARLY_HEADER, PP_MAX(align, 16u));
		end = start + pp_round_up(size, 16);
		if (end > REAL_EARLY_BYTES)
			return NULL;
	} while (!atomic_compare_exchange_weak(&early_used, &old, end));
	memcpy(real_early + start - sizeof(size), &size, sizeof(size));
	return real_early + start;
}

size_t real_early_size(const void *p)
{
	size_t size;

	memcpy(&size, (const char *)p - sizeof(size), sizeof(size));
	return size;
}

bool real_early_used(void)
{
	return atomic_load(&early_used) != 0;
}

static void *early_malloc(size_t size)
{
	return early_alloc(16, size);
}

static void *early_calloc(size_t n, size_t size)
{
	size_t bytes;

	/* The buffer is zero and never reused. */
	return __builtin_mul_overflow(n, size, &bytes) ? NULL
						       : early_alloc(16, bytes);
}

/* Blocks of ours arrive: the thread is inside dlsym, which resizes what it has
 * just allocated. What it frees may also be the message of an earlier failure,
 * from the allocator that comes next, which we do not know yet: it is lost. */
static void *early_realloc(void *p, size_t size)
{
	void *q = early_alloc(16, size);

	if (p && q && real_is_early(p))
		memcpy(q, p, PP_MIN(size, real_early_size(p)));
	return q;
}

static void early_free(void *p)
{
	(void)p;
}

static void *early_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes)
		       ? NULL
		       : early_realloc(p, bytes);
}

static void *early_memalign(size_t align, size_t size)
{
	return early_alloc(align, size);
}

static void *early_aligned_alloc(size_t align, size_t size)
{
	return early_alloc(align, size);
}

static int early_posix_memalign(void **ret, size_t align, size_t size)
{
	void *p = early_alloc(align, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}

static void *early_valloc(size_t size)
{
	return early_alloc(PP_PAGE, size);
}

static void *early_pvalloc(size_t size)
{
	return early_alloc(PP_PAGE, pp_round_up(size, PP_PAGE));
}

static size_t early_malloc_usable_size(void *p)
{
	return real_is_early(p) ? real_early_size(p) : 0;
}

/* The volatile keeps the call a call. */
PP_NOINLINE void *real_next(const char *name)
{
	bool outer = resolving;
	void *volatile p;

	resolving = true;
	p = dlsym(RTLD_NEXT, name);
	resolving = outer;
	return p;
}

/* A failing lookup leaves a message for dlerror(), which is not the host's. */
void *real_next_or_null(const char *name)
{
	void *p = real_next(name);

	if (!p)
		(void)real.dlerror();
	return p;
}

/* A name libc must have is missing: there is nothing to call on to. */
static _Noreturn PP_COLD void missing(const char *name)
{
	static const char text[] = "pprofc: libc has no ";

	(void)!write(2, text, sizeof(text) - 1);
	(void)!write(2, name, strlen(name));
	(void)!write(2, "\n", 1);
	__builtin_trap();
}

void *real_must(const char *name)
{
	void *p = real_next(name);

	if (!p)
		missing(name);
	return p;
}

void *real_must_version(const char *name, const char *version)
{
	bool outer = resolving;
	void *volatile p;

	resolving = true;
	p = real.dlvsym(RTLD_NEXT, name, version);
	resolving = outer;
	if (!p)
		missing(name);
	return p;
}

#define STUB_HEAP(result, name, params, args)                   \
	static result first_##name params                       \
	{                                                       \
		if (resolving)                                  \
			return early_##name args;               \
		real.name = (result(*) params)real_must(#name); \
		return real.name args;                          \
	}
#define STUB(result, name, params, args)                 \
	static result first_##name params                \
	{                                                \
		real.name = (result(*) params)real_find( \
			#name, LOOKUP_HASH(#name));      \
		return real.name args;                   \
	}
REAL_HEAP(STUB_HEAP)
REAL_OPEN(STUB)
REAL_WAITS(STUB)
REAL_UNLOCKS(STUB)
REAL_LIFE(STUB)
REAL_RARE(STUB)

#define REAL_FIRST(result, name, params, args) .name = first_##name,
struct real real = { REAL_LIST(REAL_FIRST) };

void *real_next_malloc(void)
{
	return real.malloc == first_malloc ? real_next("malloc")
					   : (void *)real.malloc;
}
