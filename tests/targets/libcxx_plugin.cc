/*
 * libcxx_plugin.cc - a plugin, or a library of one, that uses operator new.
 * tests/e2e/test_cxx_new.py builds it in these ways:
 *   (nothing)      it has none of its own
 *   -DPOOL         it has its own: memory from an array; anything else that is
 *                  deleted here ends the program
 *   -DASK=NAME     it answers what NAME, of a library it needs, answers
 *   -DANSWER=NAME  its answer() has another name
 *   -DEARLY        it answers from its constructor, too
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

#ifndef ANSWER
#define ANSWER answer
#endif

#ifdef POOL
alignas(64) static char pool[1 << 20];
static size_t used;
static int alive;

static bool is_mine(const void *p)
{
	return (uintptr_t)p - (uintptr_t)pool < sizeof(pool);
}

static void *take(size_t size)
{
	void *p = pool + used;

	used = (used + size + 127) / 64 * 64;
	alive++;
	return p;
}

static void give(void *p)
{
	if (p && !is_mine(p)) {
		(void)fputs("not from the pool\n", stderr);
		(void)fflush(stdout);
		_Exit(3);
	}
	alive -= p != nullptr;
}

void *operator new(size_t size)
{
	return take(size);
}

void *operator new[](size_t size)
{
	return take(size);
}

void *operator new(size_t size, const std::nothrow_t &) noexcept
{
	return take(size);
}

void operator delete(void *p) noexcept
{
	give(p);
}

void operator delete(void *p, size_t) noexcept
{
	give(p);
}

void operator delete[](void *p) noexcept
{
	give(p);
}

void operator delete[](void *p, size_t) noexcept
{
	give(p);
}
#endif

struct thing {
	char bytes[100];
};

struct alignas(64) aligned_thing {
	char bytes[100];
};

template <typename T> static T *kept(T *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void use(void)
{
	for (int i = 0; i < 100; i++) {
		auto *a = kept(new thing);
		auto *b = kept(new thing[3]);
		auto *c = kept(new aligned_thing);
		auto *d = kept(new (std::nothrow) thing);

		delete a;
		delete[] b;
		delete c;
		delete d;
	}
}

#ifdef ASK
extern "C" const char *ASK(void);
#endif

extern "C" const char *ANSWER(void)
{
	static char text[200];
	auto *p = kept(new thing);
	int n = 0;

	use();
#ifdef POOL
	n = std::snprintf(text, sizeof(text), "%s, %d alive",
		is_mine(p) ? "my pool" : "not my pool", alive - 1);
#else
	n = std::snprintf(text, sizeof(text), "no pool");
#endif
	delete p;
#ifdef ASK
	(void)std::snprintf(text + n, sizeof(text) - (size_t)n, "; %s", ASK());
#endif
	(void)n;
	return text;
}

#ifdef EARLY
static __attribute__((constructor)) void early(void)
{
	std::printf("early: %s\n", ANSWER());
}
#endif
