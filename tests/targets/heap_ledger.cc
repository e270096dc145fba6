/*
 * heap_ledger.cc - allocates through known functions, in every way there is,
 * and keeps the books. BUILD: -pthread -fno-builtin
 *
 * heap_ledger OPERATIONS SEED [THREADS [foreign]]
 *
 * OPERATIONS random steps on a table of objects: allocate, resize, fail to
 * resize, free. With THREADS each thread takes its share, and objects are
 * freed and resized by whoever comes along. Output, one line for each path and
 * size that occurred:
 *   PATH SIZE allocated live at_peak
 * where at_peak is `live` at the moment the sum of all live bytes was first at
 * its maximum (of use with one thread only). Nothing but the paths allocates
 * between the first step and the last. `foreign`: another allocator serves, one
 * that has no pvalloc and an operator new of its own; that throws, too.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>
#include <pthread.h>

#define SLOTS 2000
#define PATH extern "C" __attribute__((noinline, noclone)) void *
/* Keeps the call above it from becoming a jump, which leaves no frame. */
#define DONE(p)                                                 \
	do {                                                    \
		void *done = (p);                               \
		__asm__ volatile("" : "+r"(done) : : "memory"); \
		return done;                                    \
	} while (0)

static const size_t sizes[] = { 0, 1, 16, 24, 48, 100, 1000, 4096, 5000, 70000,
	600000 };
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
static char text[600001]; /* 600000 characters */

PATH path_malloc(void *, size_t n)
{
	DONE(malloc(n));
}

PATH path_calloc(void *, size_t n)
{
	DONE(n % 4 ? calloc(n, 1) : calloc(4, n / 4));
}

PATH path_realloc_null(void *, size_t n)
{
	DONE(realloc(nullptr, n));
}

PATH path_realloc(void *old, size_t n)
{
	DONE(realloc(old, n));
}

PATH path_reallocarray(void *old, size_t n)
{
	DONE(n % 8 ? reallocarray(old, n, 1) : reallocarray(old, n / 8, 8));
}

PATH path_memalign(void *, size_t n)
{
	DONE(memalign(64, n));
}

PATH path_aligned_alloc(void *, size_t n)
{
	DONE(aligned_alloc(256, n));
}

PATH path_posix_memalign(void *, size_t n)
{
	void *p = nullptr;

	if (posix_memalign(&p, 128, n))
		p = nullptr;
	DONE(p);
}

PATH path_valloc(void *, size_t n)
{
	DONE(valloc(n));
}

PATH path_pvalloc(void *, size_t n)
{
	DONE(pvalloc(n));
}

PATH path_strdup(void *, size_t n)
{
	DONE(strdup(text + sizeof(text) - n)); /* n - 1 characters */
}

PATH path_new(void *, size_t n)
{
	DONE(operator new(n));
}

PATH path_new_array(void *, size_t n)
{
	DONE(operator new[](n));
}

PATH path_new_aligned(void *, size_t n)
{
	DONE(operator new(n, std::align_val_t(512)));
}

PATH path_new_nothrow(void *, size_t n)
{
	DONE(operator new(n, std::nothrow));
}

static void free_it(void *p)
{
	free(p);
}

static void delete_it(void *p)
{
	operator delete(p);
}

static void delete_array(void *p)
{
	operator delete[](p);
}

static void delete_aligned(void *p)
{
	operator delete(p, std::align_val_t(512));
}

struct path {
	const char *name;
	void *(*make)(void *, size_t);
	void (*unmake)(void *);
};

static const struct path paths[] = {
#define P(name, unmake)             \
	{                           \
#name, name, unmake \
	}
	P(path_malloc, free_it),
	P(path_calloc, free_it),
	P(path_realloc_null, free_it),
	P(path_memalign, free_it),
	P(path_aligned_alloc, free_it),
	P(path_posix_memalign, free_it),
	P(path_valloc, free_it),
	P(path_pvalloc, free_it),
	P(path_strdup, free_it),
	P(path_new, delete_it),
	P(path_new_array, delete_array),
	P(path_new_aligned, delete_aligned),
	P(path_new_nothrow, delete_it),
#define MAKERS 13
	P(path_realloc, free_it),
	P(path_reallocarray, free_it),
#define PATHS 15
};

/* The books. `at_peak` and `bytes` make sense with one thread. */
static struct entry {
	long allocated, live, at_peak;
} books[PATHS][SIZES];
static long live_bytes, peak_bytes;
static bool keep_peak, foreign;

/* What is asked of malloc for an object of this size. For the aligned operator
 * new libstdc++ rounds it up to whole alignments. */
static size_t charged(int path, int size)
{
	size_t n = sizes[size];

	if (foreign || paths[path].unmake != delete_aligned)
		return n;
	return (n + 511) / 512 * 512;
}

static struct object {
	void *p;
	int path, size;
	bool taken; /* a thread works on it */
} objects[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void note_peak(void)
{
	peak_bytes = live_bytes;
	for (auto &row : books)
		for (auto &e : row)
			e.at_peak = e.live;
}

/* Callers hold the lock. */
static void book(struct object *o)
{
	struct entry *e = &books[o->path][o->size];

	if (!o->p)
		abort();
	e->allocated++;
	e->live++;
	live_bytes += (long)charged(o->path, o->size);
	if (keep_peak && live_bytes > peak_bytes)
		note_peak();
}

static void unbook(struct object *o)
{
	books[o->path][o->size].live--;
	live_bytes -= (long)charged(o->path, o->size);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Large ones are rarer, so that each size has its share of the bytes. */
static int pick_size(uint64_t random)
{
	int size = (int)(random % SIZES);

	if (sizes[size] > 10000 && (random >> 32) % 8)
		size -= 2 + (int)((random >> 40) % 6);
	return size;
}

static void make(struct object *o, uint64_t random)
{
	o->path = (int)((random >> 8) % MAKERS);
	o->size = pick_size(random >> 16);
	if (foreign && paths[o->path].make == path_pvalloc)
		o->path = 0;
	/* strdup makes no 0 bytes, and of new 0 libstdc++ makes 1. */
	if (sizes[o->size] == 0)
		o->size += o->path >= 8;
	o->p = paths[o->path].make(nullptr, sizes[o->size]);
	(void)pthread_mutex_lock(&lock);
	book(o);
	(void)pthread_mutex_unlock(&lock);
}

static void unmake(struct object *o)
{
	(void)pthread_mutex_lock(&lock);
	unbook(o);
	(void)pthread_mutex_unlock(&lock);
	paths[o->path].unmake(o->p);
	o->p = nullptr;
}

/* realloc(p, 0) frees: "resized to nothing". */
static void resize(struct object *o, uint64_t random)
{
	struct object resized = { nullptr, MAKERS + (int)((random >> 8) & 1),
		pick_size(random >> 16), true };
	void *(*how)(void *, size_t) = paths[resized.path].make;

	resized.p = how(o->p, sizes[resized.size]);
	(void)pthread_mutex_lock(&lock);
	unbook(o);
	if (sizes[resized.size])
		book(&resized);
	else if (resized.p)
		abort();
	*o = resized;
	(void)pthread_mutex_unlock(&lock);
}

/* More than there is, or than fits a size_t: the object must not change. */
static void fail_to_resize(struct object *o, uint64_t random)
{
	static volatile size_t most = SIZE_MAX;
	void *p;

	if (random & 256)
		p = realloc(o->p, most / 2);
	else if (random & 512)
		p = reallocarray(o->p, most / 4, 16);
	else
		p = reallocarray(o->p, most / 32, 16);
	if (p || malloc(most / 2) || calloc(most / 2, 3))
		abort();
	if (!foreign)
		return;
	try {
		p = operator new(most / 2);
		abort();
	} catch (const std::bad_alloc &) {
	}
}

static void step(struct object *o, uint64_t random)
{
	if (!o->p)
		make(o, random);
	else if (random % 8 == 0 && paths[o->path].unmake == free_it)
		fail_to_resize(o, random);
	else if (random % 4 == 1 && paths[o->path].unmake == free_it)
		resize(o, random);
	else
		unmake(o);
}

static struct object *take(uint64_t random)
{
	struct object *o;

	(void)pthread_mutex_lock(&lock);
	do
		o = &objects[random++ % SLOTS];
	while (o->taken);
	o->taken = true;
	(void)pthread_mutex_unlock(&lock);
	return o;
}

static void give(struct object *o)
{
	(void)pthread_mutex_lock(&lock);
	o->taken = false;
	(void)pthread_mutex_unlock(&lock);
}

struct worker {
	pthread_t thread;
	long operations;
	uint64_t random;
};

static void *work(void *arg)
{
	struct worker *w = static_cast<struct worker *>(arg);

	for (long i = 0; i < w->operations; i++) {
		struct object *o = take(next_random(&w->random));

		step(o, next_random(&w->random));
		give(o);
	}
	return nullptr;
}

/* Free a part, so that the peak is not the end. */
static void shrink(void)
{
	for (int i = 0; i < SLOTS / 3; i++)
		if (objects[i].p)
			unmake(&objects[i]);
}

static void print_books(void)
{
	for (int p = 0; p < PATHS; p++)
		for (size_t s = 0; s < SIZES; s++) {
			struct entry *e = &books[p][s];

			if (e->allocated)
				(void)printf("%s %zu %ld %ld %ld\n",
					paths[p].name, charged(p, (int)s),
					e->allocated, e->live, e->at_peak);
		}
}

static struct worker workers[64];

int main(int argc, char **argv)
{
	long operations = argc > 1 ? atol(argv[1]) : 100000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 10) : 1;
	int threads = argc > 3 ? atoi(argv[3]) : 0;

	memset(text, 'x', sizeof(text) - 1);
	keep_peak = threads == 0;
	foreign = argc > 4;
	for (int i = 0; i < threads || i < 1; i++) {
		struct worker *w = &workers[i];

		w->operations = operations / (threads ? threads : 1);
		w->random = seed * 1000 + (uint64_t)i;
		if (threads == 0)
			(void)work(w);
		else if (pthread_create(&w->thread, nullptr, work, w))
			abort();
	}
	for (int i = 0; i < threads; i++)
		(void)pthread_join(workers[i].thread, nullptr);
	shrink();
	print_books();
	return 0;
}
