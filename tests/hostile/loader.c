/*
 * loader.c - libraries that come and go. BUILD: -pthread -ldl
 *
 * The plugin is libdeep.so beside this program.
 */
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include "hostile.h"

static char plugin[PATH_MAX];

typedef void *plugin_fn(void *freed);

static void use(int flags)
{
	void *library = dlopen(plugin, RTLD_NOW | flags);
	plugin_fn *fn;

	MUST(library);
	fn = (plugin_fn *)dlsym(library, "plugin_swap");
	MUST(fn);
	free(fn(malloc(1000)));
	MUST(dlclose(library) == 0);
}

/* Its malloc may be another one than ours: memory crosses all the same. */
static void deepbind(void)
{
	hold();
	for (int i = 0; i < 50; i++)
		use(RTLD_LOCAL | RTLD_DEEPBIND);
	burn(30);
}

static void *storm(void *flags)
{
	for (int i = 0; i < 100; i++) {
		use((int)(long)flags);
		churn(20);
	}
	return NULL;
}

static void come_and_go(void)
{
	pthread_t t[3];

	hold();
	for (long i = 0; i < 3; i++)
		MUST(pthread_create(&t[i], NULL, storm,
			     (void *)(i == 2 ? (long)RTLD_DEEPBIND : 0)) == 0);
	for (int i = 0; i < 10; i++) {
		dump();
		burn(5);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

/* Errors are the program's to read. */
static void errors(void)
{
	const char *text;

	hold();
	MUST(!dlopen("/nonexistent/library.so", RTLD_NOW));
	dump();
	churn(100);
	burn(30);
	text = dlerror();
	MUST(text && strstr(text, "/nonexistent/library.so"));
	MUST(!dlerror());
	MUST(!dlsym(RTLD_DEFAULT, "no_such_name"));
	churn(100);
	text = dlerror();
	MUST(text && strstr(text, "no_such_name"));
	MUST(!dlopen("x", 0) && dlerror());
}

/* A second libc, which knows nothing of us. */
static void new_namespace(void)
{
	void *library;

	hold();
	burn(30);
	library = dlmopen(LM_ID_NEWLM, plugin, RTLD_NOW);
	MUST(library && dlsym(library, "plugin_swap"));
	churn(100);
	MUST(dlclose(library) == 0);
}

static const struct way ways[] = {
	{ "deepbind", deepbind },
	{ "come_and_go", come_and_go },
	{ "errors", errors },
	{ "new_namespace", new_namespace },
};

int main(int argc, char **argv)
{
	char *copy = strdup(argv[0]);

	snprintf(plugin, sizeof(plugin), "%s/libdeep.so", dirname(copy));
	free(copy);
	return go_the_way(ways, COUNT(ways), argc, argv);
}
