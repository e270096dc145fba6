/*
 * pp.h - the words every file of pprofc uses: attributes, contexts, sizes.
 *
 * First include of every file.
 *
 * Contexts. Each prototype that crosses files ends in one of these words (or
 * its header says it once for all). Clang's thread-safety analysis checks
 * them (make lint); for gcc they vanish.
 *
 *   PP_ANY     may run anywhere, also in signal handlers, in a fork child,
 *              under the loader lock: no malloc, stdio, locale, blocking
 *              lock, dynamic TLS or loader call. Keeps errno (raw system
 *              calls return -errno and never touch it).
 *   PP_NORMAL  ordinary thread context: may use libc. Never in a handler.
 */
#ifndef PP_H
#define PP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PP_EXPORT __attribute__((visibility("default")))
#define PP_NOINLINE __attribute__((noinline))
#define PP_COLD __attribute__((cold, noinline))
#define PP_PRINTF(f, a) __attribute__((format(printf, f, a)))
/* A zeroed static variable of kilobytes that hardly any program touches. It
 * goes behind all others, which then share a few pages: a page fault takes
 * longer than most of what we do at start. (Compilers know by the name that
 * nothing of it is in the file.) */
#define PP_BIG __attribute__((section(".sbss.big")))
#define pp_likely(x) __builtin_expect(!!(x), 1)
#define pp_unlikely(x) __builtin_expect(!!(x), 0)

#define PP_ANY
#if defined(__clang__) && !defined(PP_NO_CONTEXT_CHECK)
struct __attribute__((capability("context"))) pp_context {
	char unused;
};
extern struct pp_context pp_normal;
#define PP_NORMAL __attribute__((requires_shared_capability(pp_normal)))
#define PP_ENTER_NORMAL \
	__attribute__(( \
		no_thread_safety_analysis)) /* an entry point: lifecycle */
#else
#define PP_NORMAL
#define PP_ENTER_NORMAL
#endif

#define PP_PAGE 4096u
#define PP_CACHE_LINE 64u
#define PP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PP_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PP_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Round x up to a multiple of the power of two a. */
static inline uint64_t pp_round_up(uint64_t x, uint64_t a)
{
	return (x + a - 1) & ~(a - 1);
}

/* A well mixed 64-bit hash step (the finalizer of SplitMix64; constants from
 * Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators). */
static inline uint64_t pp_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

#ifndef PPROFC_VERSION
#define PPROFC_VERSION "0.1.0"
#endif

#endif
