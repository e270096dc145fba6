/*
 * forwarder.c - the least a preloaded library can do: tail calls through
 * hidden pointers. The line every hook of ours is compared with.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static void *first_malloc(size_t n);
static void first_free(void *p);
static int first_lock(pthread_mutex_t *m);
static int first_unlock(pthread_mutex_t *m);

static struct {
	void *(*malloc)(size_t);
	void (*free)(void *);
	int (*lock)(pthread_mutex_t *);
	int (*unlock)(pthread_mutex_t *);
} real = { first_malloc, first_free, first_lock, first_unlock };

static __attribute__((constructor)) void resolve(void)
{
	/* Successful look-ups do not allocate; volatile keeps the compiler
	 * from making tail calls, by which dlsym knows its caller. */
	void *volatile p;

	p = dlsym(RTLD_NEXT, "malloc");
	real.malloc = (void *(*)(size_t))p;
	p = dlsym(RTLD_NEXT, "free");
	real.free = (void (*)(void *))p;
	p = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	real.lock = (int (*)(pthread_mutex_t *))p;
	p = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
	real.unlock = (int (*)(pthread_mutex_t *))p;
}

static void *first_malloc(size_t n)
{
	resolve();
	return real.malloc(n);
}

static void first_free(void *p)
{
	resolve();
	real.free(p);
}

static int first_lock(pthread_mutex_t *m)
{
	resolve();
	return real.lock(m);
}

static int first_unlock(pthread_mutex_t *m)
{
	resolve();
	return real.unlock(m);
}

void *malloc(size_t n)
{
	return real.malloc(n);
}

void free(void *p)
{
	real.free(p);
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	return real.lock(m);
}

int pthread_mutex_unlock(pthread_mutex_t *m)
{
	return real.unlock(m);
}
