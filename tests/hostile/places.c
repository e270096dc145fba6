/*
 * places.c - allocation, CPU time and dumps where somebody holds a lock or
 * where the process is not quite there yet, or no more.
 * BUILD: -pthread -fno-builtin-malloc
 */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include "hostile.h"

static atomic_int times;

static void work(void)
{
	churn(300);
	burn(6);
	dump();
	atomic_fetch_add(&times, 1);
}

static pthread_key_t key;

/* Comes back as often as destructors may. */
static void destroy(void *value)
{
	work();
	if ((long)value > 1)
		pthread_setspecific(key, (void *)((long)value - 1));
}

static void *with_specific(void *value)
{
	pthread_setspecific(key, value);
	return NULL;
}

static void tls_destructors(void)
{
	pthread_t t;

	hold();
	MUST(pthread_key_create(&key, destroy) == 0);
	for (int i = 0; i < 3; i++) {
		MUST(!pthread_create(&t, NULL, with_specific, (void *)3));
		pthread_join(t, NULL);
	}
	MUST(times == 9);
	burn(10);
}

static void atfork_handlers(void)
{
	hold();
	MUST(pthread_atfork(work, work, work) == 0);
	for (int i = 1; i < 4; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			MUST(times == 2 * i);
			exit(3);
		}
		MUST(waitpid(child, &status, 0) == child);
		MUST(status == 3 << 8 && times == 2 * i);
	}
	burn(10);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *in_once(void *unused)
{
	pthread_once(&once, work);
	return unused;
}

static void once_only(void)
{
	pthread_t t[4];

	hold();
	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&t[i], NULL, in_once, NULL) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	MUST(times == 1);
	burn(30);
}

/* The loader's lock is held. */
static int each_object(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)info;
	(void)size;
	(void)unused;
	work();
	return 0;
}

static void *looking(void *unused)
{
	dl_iterate_phdr(each_object, NULL);
	return unused;
}

static void loader_lock(void)
{
	pthread_t t;

	hold();
	MUST(pthread_create(&t, NULL, looking, NULL) == 0);
	for (int i = 0; i < 20; i++) {
		void *library = dlopen("libz.so.1", RTLD_NOW);

		churn(100);
		if (library)
			dlclose(library);
	}
	pthread_join(t, NULL);
	MUST(times >= 3);
}

/* The locks of stdio, kept to the end, which flushes. */
static void stream_lock(void)
{
	FILE *f = fopen("stream", "w");

	MUST(f);
	flockfile(f);
	flockfile(stdout);
	hold();
	work();
	burn(20);
	MUST(fputs("in the buffer\n", f) >= 0);
	work();
}

static void *exit_now(void *unused)
{
	work();
	exit(0);
	return unused;
}

static void at_exit(void)
{
	work();
	if (times < 10)
		atexit(at_exit);
}

/* Handlers that install handlers, run by a thread while main works on. */
static void exit_elsewhere(void)
{
	pthread_t t;

	hold();
	atexit(at_exit);
	printf("fine\n");
	MUST(pthread_create(&t, NULL, exit_now, NULL) == 0);
	for (;;)
		churn(100);
}

static void quick(void)
{
	work();
}

static void quickly(void)
{
	hold();
	burn(30);
	MUST(at_quick_exit(quick) == 0);
	printf("fine\n");
	fflush(stdout);
	quick_exit(0);
}

static void *workers(void *unused)
{
	for (int i = 0; i < 10; i++)
		work();
	return unused;
}

/* The process ends with the last worker. */
static void main_leaves(void)
{
	pthread_t t;

	hold();
	for (int i = 0; i < 3; i++) {
		MUST(pthread_create(&t, NULL, workers, NULL) == 0);
		pthread_detach(t);
	}
	printf("fine\n");
	fflush(stdout);
	pthread_exit(NULL);
}

/* Main returns while others are in the middle of everything. */
static void *forever(void *unused)
{
	for (;;)
		churn(100);
	return unused;
}

static void others_run_on(void)
{
	pthread_t t;

	hold();
	for (int i = 0; i < 4; i++)
		MUST(pthread_create(&t, NULL, forever, NULL) == 0);
	burn(30);
}

static const struct way ways[] = {
	{ "tls_destructors", tls_destructors },
	{ "atfork_handlers", atfork_handlers },
	{ "once_only", once_only },
	{ "loader_lock", loader_lock },
	{ "stream_lock", stream_lock },
	{ "exit_elsewhere", exit_elsewhere },
	{ "quickly", quickly },
	{ "main_leaves", main_leaves },
	{ "others_run_on", others_run_on },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
