/*
 * plugins.c - plugins that are found by way of this program's RUNPATH, have
 * much thread-local storage, or lie where another one lay.
 * BUILD: -pthread -ldl -Wl,--enable-new-dtags,-rpath,beside
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include "hostile.h"

#define ROUNDS 20

static char directory[PATH_MAX];

static const char *beside(const char *name)
{
	static __thread char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* "beside" counts for this program's own dlopen, and for nobody else's. */
static void runpath(void)
{
	void *library;

	MUST(mkdir("beside", 0700) == 0);
	MUST(symlink(beside("libdeep.so"), "beside/libfound.so") == 0);
	hold();
	for (int i = 0; i < 20; i++) {
		library = dlopen("libfound.so", RTLD_NOW);
		MUST(library && dlsym(library, "plugin_swap"));
		MUST(dlclose(library) == 0);
	}
	MUST(!dlopen("libnotfound.so", RTLD_NOW));
	burn(30);
}

typedef int fill_fn(int value);

/* A new thread's storage is zero, whoever had it before. */
static void *filler(void *p)
{
	fill_fn *fill = (fill_fn *)p;

	MUST(fill(7) == 7);
	burn(1);
	return NULL;
}

static void *tls_user(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *library = dlopen(beside("libtls.so"), RTLD_NOW);
		void *fill;
		pthread_t t[2];

		MUST(library);
		fill = dlsym(library, "plugin_fill");
		MUST(fill);
		for (int k = 0; k < 2; k++)
			MUST(!pthread_create(&t[k], NULL, filler, fill));
		for (int k = 0; k < 2; k++)
			pthread_join(t[k], NULL);
		MUST(dlclose(library) == 0);
	}
	return unused;
}

static void thread_storage(void)
{
	pthread_t t[3];

	hold();
	for (int i = 0; i < 3; i++)
		MUST(!pthread_create(&t[i], NULL, tls_user, NULL));
	for (int i = 0; i < 5; i++) {
		dump();
		burn(10);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* --- code at a reused address --------------------------------------------- */

typedef void *holds_fn(size_t size);
typedef void burns_fn(long ms);

static void *volatile pieces[2 * ROUNDS];

/* Returns where its code was. */
static void *visit(char which, int round)
{
	char name[32], holds[16], burns[16];
	holds_fn *hold_fn;
	burns_fn *burn_fn;
	void *library;

	snprintf(name, sizeof(name), "libplace_%c.so", which);
	snprintf(holds, sizeof(holds), "%c_holds", which);
	snprintf(burns, sizeof(burns), "%c_burns", which);
	library = dlopen(beside(name), RTLD_NOW);
	MUST(library);
	hold_fn = (holds_fn *)dlsym(library, holds);
	burn_fn = (burns_fn *)dlsym(library, burns);
	MUST(hold_fn && burn_fn);
	pieces[2 * round + (which == 'b')] = hold_fn(
		which == 'a' ? 1000 : 3000);
	burn_fn(which == 'a' ? 3 : 7); /* in no step with 4 ms */
	MUST(dlclose(library) == 0);
	MUST(!dlopen(beside(name), RTLD_NOW | RTLD_NOLOAD));
	return (void *)hold_fn;
}

/* tests/hostile/rows.py knows what each of them holds, and burns. */
static void reused_address(void)
{
	int reused = 0;

	hold();
	burn(10);
	for (int i = 0; i < ROUNDS; i++)
		reused += visit('a', i) == visit('b', i);
	MUST(reused >= ROUNDS / 2);
}

/* --- code that is just going away ----------------------------------------- */

__attribute__((noinline)) static void calls_plugin(void *library)
{
	void (*fn)(void) = (void (*)(void))dlsym(library, "plugin_hold");

	MUST(fn);
	fn();
	sink++;
}

__attribute__((noinline)) static void closes_plugin(void *library)
{
	MUST(dlclose(library) == 0);
	sink++;
}

/* While it is being closed nobody may guess: see rows.py. */
static void guesses(void)
{
	void *library = dlopen(beside("libgate.so"), RTLD_NOW);

	MUST(library);
	hold();
	burn(30);
	calls_plugin(library);
	closes_plugin(library);
}

static const struct way ways[] = {
	{ "runpath", runpath },
	{ "thread_storage", thread_storage },
	{ "reused_address", reused_address },
	{ "guesses", guesses },
};

int main(int argc, char **argv)
{
	char *copy = strdup(argv[0]);

	snprintf(directory, sizeof(directory), "%s", dirname(copy));
	free(copy);
	return go_the_way(ways, COUNT(ways), argc, argv);
}
